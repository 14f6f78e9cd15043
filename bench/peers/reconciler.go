package main

import (
	"context"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// By this annotation a child that is as it should be is recognised without a look at its fields.
const renderingAnnotation = "tradingoperator.io/rendering"

var owned = []client.Object{
	&appsv1.ControllerRevision{},
	&appsv1.Deployment{},
	&corev1.ConfigMap{},
	&corev1.Service{},
	&networkingv1.NetworkPolicy{},
}

type reconciler struct {
	client.Client
	children *template
}

// newManager caches only our objects, typed, without managed fields: what a tuned operator does.
func newManager(chosen options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	addToScheme(scheme)
	ours := labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "trading-operator"})
	selected := map[client.Object]cache.ByObject{}
	for _, kind := range owned {
		selected[kind] = cache.ByObject{Label: ours}
	}
	return ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			ByObject:         selected,
			DefaultTransform: cache.TransformStripManagedFields(),
		},
		Metrics:                       server.Options{BindAddress: chosen.metrics},
		LeaderElection:                true,
		LeaderElectionID:              "peer",
		LeaderElectionNamespace:       chosen.leaseNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
}

func (r *reconciler) register(manager ctrl.Manager, concurrency int) error {
	builder := ctrl.NewControllerManagedBy(manager).
		For(&TradingSystem{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency})
	for _, kind := range owned {
		builder = builder.Owns(kind)
	}
	return builder.Complete(r)
}

// Reconcile makes what is missing, updates what was rendered otherwise, and reports once.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	system := &TradingSystem{}
	if err := r.Get(ctx, request.NamespacedName, system); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	for _, wanted := range r.children.build(system) {
		if err := r.put(ctx, wanted); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.report(ctx, system)
}

func (r *reconciler) put(ctx context.Context, wanted client.Object) error {
	live := reflect.New(reflect.TypeOf(wanted).Elem()).Interface().(client.Object)
	err := r.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	if apierrors.IsNotFound(err) {
		return client.IgnoreAlreadyExists(r.Create(ctx, wanted))
	}
	rendering := wanted.GetAnnotations()[renderingAnnotation]
	if err != nil || live.GetAnnotations()[renderingAnnotation] == rendering {
		return err
	}
	wanted.SetResourceVersion(live.GetResourceVersion())
	return r.Update(ctx, wanted)
}

func (r *reconciler) report(ctx context.Context, system *TradingSystem) error {
	before := system.deepCopy()
	status := r.children.status.deepCopy()
	status.ObservedGeneration = system.Generation
	for index := range status.Conditions {
		status.Conditions[index].LastTransitionTime = since(before, index)
	}
	if equality.Semantic.DeepEqual(before.Status, status) {
		return nil
	}
	system.Status = status
	return r.Status().Patch(ctx, system, client.MergeFrom(before))
}

func since(before *TradingSystem, index int) metav1.Time {
	if index < len(before.Status.Conditions) {
		return before.Status.Conditions[index].LastTransitionTime
	}
	return metav1.Now()
}
