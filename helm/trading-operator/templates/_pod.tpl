{{/* Environment of the operator: where it runs, what it watches, which images it uses. */}}
{{- define "trading-operator.env" -}}
- name: TRADING_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: TRADING_OPERATOR_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: TRADING_OPERATOR_WATCH_NAMESPACES
  value: {{ include "trading-operator.watchNamespaces" . | quote }}
- name: TRADING_OPERATOR_LEASE_NAME
  value: {{ include "trading-operator.fullname" . }}
- name: TRADING_OPERATOR_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: TRADING_OPERATOR_NAME_SERVERS
  value: {{ default "Cluster" .Values.nameServers }}
{{- with .Values.clusterNameServers }}
{{- with .namespace }}
- name: TRADING_OPERATOR_NAME_SERVER_NAMESPACE
  value: {{ . | quote }}
{{- end }}
{{- with .podLabels }}
- name: TRADING_OPERATOR_NAME_SERVER_LABELS
  value: {{ range $name, $value := . }}{{ $name }}={{ $value }},{{ end }}
{{- end }}
{{- with .ports }}
- name: TRADING_OPERATOR_NAME_SERVER_PORTS
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
- name: TRADING_OPERATOR_PORT
  value: "8080"
{{- range $engine, $settings := .Values.engines }}
{{- with $settings.image }}
- name: TRADING_OPERATOR_IMAGE_{{ upper $engine }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.backup }}
{{- with .image }}
- name: TRADING_OPERATOR_IMAGE_BACKUP
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.training }}
{{- with .image }}
- name: TRADING_OPERATOR_IMAGE_TRAINING
  value: {{ . | quote }}
{{- end }}
{{- with .sequenceImage }}
- name: TRADING_OPERATOR_IMAGE_TRAINING_SEQUENCE
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The given affinity, or that replicas prefer different nodes: soft, so that one node serves. */}}
{{- define "trading-operator.affinity" -}}
{{- if .Values.affinity }}
{{- toYaml .Values.affinity }}
{{- else -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "trading-operator.selectorLabels" . | nindent 12 }}
{{- end }}
{{- end }}
