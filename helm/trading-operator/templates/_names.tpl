{{/* Name of the chart, as labels carry it. */}}
{{- define "trading-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects. A release that is called like the chart does not say it twice. */}}
{{- define "trading-operator.fullname" -}}
{{- $name := include "trading-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Name of cluster-wide objects: two releases in different namespaces must not share one. */}}
{{- define "trading-operator.clusterName" -}}
{{- $name := include "trading-operator.fullname" . }}
{{- if eq $name .Release.Namespace }}{{ $name }}{{ else }}{{ printf "%s-%s" .Release.Namespace $name }}{{ end }}
{{- end }}

{{- define "trading-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "trading-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Labels that never change for a release: a Deployment's selector is immutable. */}}
{{- define "trading-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trading-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trading-operator.labels" -}}
{{ include "trading-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: trading-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "trading-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{/* The watched namespaces as a comma separated list; empty in cluster scope. */}}
{{- define "trading-operator.watchNamespaces" -}}
{{- if eq .Values.rbac.scope "namespaced" }}
{{- join "," (default (list .Release.Namespace) .Values.watchNamespaces) }}
{{- else if .Values.watchNamespaces }}
{{- fail "watchNamespaces: only used in namespaced scope; set rbac.scope=namespaced or empty the list" }}
{{- end }}
{{- end }}
