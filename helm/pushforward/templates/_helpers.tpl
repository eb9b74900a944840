{{/* Names, labels, and what several objects have in common. */}}

{{- define "pushforward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is put behind it, and for a label. */}}
{{- define "pushforward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "pushforward.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pushforward.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pushforward.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pushforward.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* For everything but the pods of the service. */}}
{{- define "pushforward.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "pushforward.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What the selectors of services, policies and budgets name: the service, not the migration. */}}
{{- define "pushforward.podSelector" -}}
{{ include "pushforward.selectorLabels" . }}
app.kubernetes.io/component: service
{{- end -}}

{{/* Pods that the Kubernetes executor makes for this release. */}}
{{- define "pushforward.workerSelector" -}}
app.kubernetes.io/name: pushforward-worker
app.kubernetes.io/managed-by: pushforward
app.kubernetes.io/instance: {{ include "pushforward.fullname" . }}
{{- end -}}

{{- define "pushforward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pushforward.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of a map with registry, repository, tag and digest; `version` where there is no tag. */}}
{{- define "pushforward.imageOf" -}}
{{- $name := ternary .image.repository (printf "%s/%s" .image.registry .image.repository) (empty .image.registry) -}}
{{- if .image.digest -}}{{ $name }}@{{ .image.digest }}{{- else -}}{{ $name }}:{{ default .version .image.tag }}{{- end -}}
{{- end -}}

{{- define "pushforward.image" -}}
{{- include "pushforward.imageOf" (dict "image" .Values.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{- define "pushforward.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Embedded: the database in the pod, which migrates itself. */}}
{{- define "pushforward.gated" -}}
{{- if and .Values.migration.enabled .Values.database.existingSecret.name -}}true{{- end -}}
{{- end -}}

{{- define "pushforward.inCluster" -}}
{{- if eq .Values.executor.kind "kubernetes" -}}true{{- end -}}
{{- end -}}

{{- define "pushforward.workerNamespace" -}}
{{- default .Release.Namespace .Values.executor.kubernetes.namespace -}}
{{- end -}}

{{/* Where requests to the API arrive in a pod: a port that asks who calls. Empty: nowhere. */}}
{{- define "pushforward.apiPort" -}}
{{- if .Values.authProxy.enabled -}}proxy{{- else -}}{{ .Values.service.targetPort }}{{- end -}}
{{- end -}}

{{- define "pushforward.databaseEnv" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret.name }}
      key: {{ .Values.database.existingSecret.key }}
{{- end -}}

{{/* As the workers take them too. */}}
{{- define "pushforward.storeEnv" -}}
{{- with .Values.store.existingSecret }}
{{- if .name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .accessKeyIdKey }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .secretAccessKeyKey }}
{{- if .sessionTokenKey }}
- name: AWS_SESSION_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .sessionTokenKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the service is told beside its settings: the secrets, by reference. */}}
{{- define "pushforward.serviceEnv" -}}
{{- if .Values.database.existingSecret.name }}
{{ include "pushforward.databaseEnv" . }}
{{- end }}
{{- with .Values.signing.existingSecret }}
{{- if .name }}
- name: PUSHFORWARD_SIGNING_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with .Values.openLineage.existingSecret }}
{{- if .name }}
- name: OPENLINEAGE_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- include "pushforward.storeEnv" . }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
