// Command peers is what the operator is measured against: the same children, made by an operator
// written with controller-runtime, or posted by a client that does nothing else.
package main

import (
	"flag"
	"log"
	"os"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	template := flag.String("template", "", "JSON file: one system's children and status")
	concurrency := flag.Int("concurrency", 1, "systems (operator) or requests (raw) at once")
	metrics := flag.String("metrics", "127.0.0.1:0", "address of the metrics endpoint")
	namespace := flag.String("lease-namespace", "default", "namespace of the Lease")
	raw := flag.String("raw", "", "JSON file: the systems whose children are posted, nothing else")
	flag.Parse()
	ctrl.SetLogger(klog.Background())

	children, err := readTemplate(*template)
	if err == nil && *raw != "" {
		err = postAll(children, *raw, *concurrency)
	} else if err == nil {
		err = runOperator(children, options{*concurrency, *metrics, *namespace})
	}
	if err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

type options struct {
	concurrency    int
	metrics        string
	leaseNamespace string
}

func runOperator(children *template, chosen options) error {
	manager, err := newManager(chosen)
	if err != nil {
		return err
	}
	reconciler := &reconciler{Client: manager.GetClient(), children: children}
	if err := reconciler.register(manager, chosen.concurrency); err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
