{{/* Whether the hook is made: without rights it could do nothing but fail the uninstall. */}}
{{- define "trading-operator.uninstallHook" -}}
{{- if and (dig "enabled" true (default dict .Values.uninstallHook)) .Values.rbac.create }}true{{ end }}
{{- end }}

{{- define "trading-operator.uninstallName" -}}
{{ include "trading-operator.fullname" . }}-uninstall
{{- end }}

{{/* Name of the hook's rights over trading systems, in each namespace or for all of them. */}}
{{- define "trading-operator.uninstallSystemsName" -}}
{{ include "trading-operator.clusterName" . }}-uninstall-systems
{{- end }}

{{/* Other labels than the operator's pods have: no Service, policy or budget of theirs means it. */}}
{{- define "trading-operator.uninstallLabels" -}}
app.kubernetes.io/name: {{ include "trading-operator.name" . }}-uninstall
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: uninstall
app.kubernetes.io/part-of: trading-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Annotations of an object of the hook; its argument is the weight: rights before the Job. */}}
{{- define "trading-operator.uninstallAnnotations" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* What the hook may do in a namespace whose systems the operator serves. */}}
{{- define "trading-operator.uninstallRules" -}}
- apiGroups: [tradingoperator.io]
  resources: [tradingsystems]
  verbs: [get, list, patch]
{{- end }}

{{- define "trading-operator.uninstallSubject" -}}
- kind: ServiceAccount
  name: {{ include "trading-operator.uninstallName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
