{{- define "llmitm.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "llmitm.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "llmitm.labels" -}}
{{ include "llmitm.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "llmitm.secret" -}}
{{ .Values.existingSecret | default (include "llmitm.name" .) }}
{{- end }}

{{- /* "true" where there may be more than one pod. */ -}}
{{- define "llmitm.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}true{{ end }}
{{- end }}

{{- /* Several pods need stores that they share, or limits, budgets and usage would be wrong. */ -}}
{{- define "llmitm.checks" -}}
{{- if include "llmitm.several" . }}
{{- if eq (toString .Values.config.store.shared) "memory" }}
{{- fail "several pods need a shared store: set config.store.shared to ${LLMITM_SHARED_URL} and give that key to the secret" }}
{{- end }}
{{- if hasPrefix "sqlite:" .Values.config.store.ledger }}
{{- fail "several pods need one ledger: set config.store.ledger to ${LLMITM_LEDGER_URL} and give that key to the secret" }}
{{- end }}
{{- if .Values.persistence.enabled }}
{{- fail "persistence is for one pod: several can't write to one volume" }}
{{- end }}
{{- end }}
{{- end }}
