package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "tradingoperator.io", Version: "v1alpha1"}

// TradingSystem has the fields that this operator looks at.
type TradingSystem struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec   `json:"spec,omitempty"`
	Status            Status `json:"status,omitempty"`
}

// Spec names the components.
type Spec struct {
	Services []Service `json:"services,omitempty"`
}

// Service is one component.
type Service struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// Status is what the operator reports, once.
type Status struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Revision           string             `json:"revision,omitempty"`
	ComponentsReady    string             `json:"componentsReady,omitempty"`
	Components         []Component        `json:"components,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// Component is the line of one component.
type Component struct {
	Name     string `json:"name"`
	Kind     string `json:"kind,omitempty"`
	State    string `json:"state,omitempty"`
	Ready    int64  `json:"ready"`
	Desired  int64  `json:"desired"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// TradingSystemList is a list of them.
type TradingSystemList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TradingSystem `json:"items"`
}

// DeepCopyObject copies a system.
func (in *TradingSystem) DeepCopyObject() runtime.Object { return in.deepCopy() }

func (in *TradingSystem) deepCopy() *TradingSystem {
	out := &TradingSystem{TypeMeta: in.TypeMeta, Status: in.Status.deepCopy()}
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Services = append([]Service(nil), in.Spec.Services...)
	return out
}

func (in Status) deepCopy() Status {
	out := in
	out.Components = append([]Component(nil), in.Components...)
	out.Conditions = append([]metav1.Condition(nil), in.Conditions...)
	return out
}

// DeepCopyObject copies a list.
func (in *TradingSystemList) DeepCopyObject() runtime.Object {
	out := &TradingSystemList{TypeMeta: in.TypeMeta, ListMeta: in.ListMeta}
	for index := range in.Items {
		out.Items = append(out.Items, *in.Items[index].deepCopy())
	}
	return out
}

func addToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(groupVersion, &TradingSystem{}, &TradingSystemList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
}
