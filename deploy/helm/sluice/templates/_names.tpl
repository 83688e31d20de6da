{{- define "sluice.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "sluice.confinement" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The TLS listener as one TOML value; JSON strings and lists are TOML as well. */}}
{{- define "sluice.listeners" -}}
[{address = "0.0.0.0:11344", name = "icaps", allow = {{ toJson .Values.tls.allow }}, tls = {certificate = "/tls/tls.crt", key = "/tls/tls.key"
{{- if .Values.tls.clientAuthority }}, client-ca = "/clients/ca.crt", client-names = {{ toJson .Values.tls.clientNames }}{{ end }}}}]
{{- end }}

{{/* How the admin listener is spoken to. */}}
{{- define "sluice.admin-scheme" -}}
{{ if .Values.adminTls.secret }}https{{ else }}http{{ end }}
{{- end }}
