// promcheck tells what Prometheus itself thinks of rules, expressions and metrics, on standard
// input: `promcheck rules`, `promcheck expressions` (one a line; prints the metrics that each
// selects as JSON), `promcheck metrics`. It ends with 1 when something is wrong.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

var prometheus = parser.NewParser(parser.Options{})

func main() {
	commands := map[string]func([]byte) []string{
		"rules": checkRules, "expressions": checkExpressions, "metrics": checkMetrics,
	}
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: promcheck rules|expressions|metrics < FILE")
		os.Exit(2)
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	problems := commands[os.Args[1]](input)
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func checkRules(input []byte) (problems []string) {
	_, errs := rulefmt.Parse(input, false, model.LegacyValidation, prometheus, slog.Default())
	for _, err := range errs {
		problems = append(problems, err.Error())
	}
	return problems
}

func checkExpressions(input []byte) (problems []string) {
	for line := range strings.Lines(strings.TrimSpace(string(input))) {
		expression, err := prometheus.ParseExpr(strings.TrimSpace(line))
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", strings.TrimSpace(line), err))
			continue
		}
		names, err := json.Marshal(selected(expression))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(names))
	}
	return problems
}

func selected(expression parser.Expr) []string {
	names := []string{}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is {
			names = append(names, selector.Name)
		}
		return nil
	})
	slices.Sort(names)
	return slices.Compact(names)
}

func checkMetrics(input []byte) (problems []string) {
	found, err := promlint.New(strings.NewReader(string(input))).Lint()
	if err != nil {
		return []string{err.Error()}
	}
	for _, problem := range found {
		problems = append(problems, problem.Metric+": "+problem.Text)
	}
	return problems
}
