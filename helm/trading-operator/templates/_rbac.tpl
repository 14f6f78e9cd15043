{{/*
What the operator does in a namespace whose trading systems it manages. No wildcard, no volume
claim is ever deleted, and a Secret is read by name only: there is no list of all of them.
*/}}
{{- define "trading-operator.namespacedRules" -}}
- apiGroups: [tradingoperator.io]
  resources: [tradingsystems]
  # Patched for one finalizer alone: that of an ordered stop.
  verbs: [get, list, watch, patch]
- apiGroups: [tradingoperator.io]
  resources: [tradingsystems/status]
  verbs: [patch]
# Needed to be named as owner where the API server checks ownerReferences.
- apiGroups: [tradingoperator.io]
  resources: [tradingsystems/finalizers]
  verbs: [update]
- apiGroups: [tradingoperator.io]
  resources: [backups, restores, modeltrainingjobs]
  verbs: [get, list, watch]
- apiGroups: [tradingoperator.io]
  resources: [backups/status, restores/status, modeltrainingjobs/status]
  verbs: [patch]
- apiGroups: [tradingoperator.io]
  resources: [backups/finalizers, restores/finalizers, modeltrainingjobs/finalizers]
  verbs: [update]
# Backups, drills, restores and trainings. A Job is never changed; one of a training goes when its
# device is not to be had, when it is suspended, or when the spec changes.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
# A namespace that is being deleted is not held up. A Role allows this of its own namespace.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Kubelets tell of failed probes in Events alone: these, by reason, and no other is watched.
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
# Whether a change fits, before it begins.
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [list]
{{- end }}

{{/* What the operator reads of the cluster itself: without it that is not checked. */}}
{{- define "trading-operator.clusterRules" -}}
{{- if .Values.rbac.storageClasses }}
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [list]
{{- end }}
{{- if dig "nodes" .Values.rbac.storageClasses .Values.rbac }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end }}
{{- end }}

{{/* The ServiceAccount as the subject of a binding. */}}
{{- define "trading-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "trading-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
