{{/* What the schema cannot say: values that do not go together. Messages say expected, received, remedy. */}}
{{- define "pushforward.validate" -}}
{{- $v := .Values -}}
{{- $several := or $v.autoscaling.enabled (gt (int $v.replicas) 1) -}}
{{- if and (not $v.database.existingSecret.name) (not $v.persistence.enabled) -}}
{{- fail "expected database.existingSecret.name or persistence.enabled, got neither: name the secret with the connection string of a PostgreSQL, or give the database of the image a volume" -}}
{{- end -}}
{{- if and (not $v.store.uri) (not $v.persistence.enabled) -}}
{{- fail "expected store.uri or persistence.enabled, got neither: name a bucket (s3://bucket/prefix), or give the directory store a volume" -}}
{{- end -}}
{{- if and $several (not (and $v.database.existingSecret.name $v.store.uri $v.signing.existingSecret.name)) -}}
{{- fail "expected database.existingSecret.name, store.uri and signing.existingSecret.name for more than one replica, got one of them empty: replicas share a database, a bucket and a secret" -}}
{{- end -}}
{{- if and $several $v.persistence.enabled -}}
{{- fail "expected persistence.enabled=false for more than one replica, got true: a service takes its state directory for itself" -}}
{{- end -}}
{{- if and $several (ne $v.executor.kind "kubernetes") -}}
{{- fail (printf "expected executor.kind=kubernetes for more than one replica, got %s: one replica moves all runs, and cannot see the processes of the one before" $v.executor.kind) -}}
{{- end -}}
{{- if eq $v.executor.kind "kubernetes" -}}
{{- if not (and $v.store.uri $v.signing.existingSecret.name) -}}
{{- fail "expected store.uri and signing.existingSecret.name for executor.kind=kubernetes, got one of them empty: workers reach a bucket, and their tokens outlive a pod of the service" -}}
{{- end -}}
{{- range $stage, $class := merge (dict "default" $v.executor.kubernetes.default) $v.executor.kubernetes.stages -}}
{{- if not (hasKey $v.executor.kubernetes.classes $class) -}}
{{- fail (printf "expected executor.kubernetes to name a class of executor.kubernetes.classes (%s) for %s, got %s: correct the name" (keys $v.executor.kubernetes.classes | sortAlpha | join ", ") $stage $class) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $v.authProxy.enabled -}}
{{- if not (and $v.authProxy.issuerUrl $v.authProxy.emailDomains $v.authProxy.existingSecret.name $v.settings.publicUrl) -}}
{{- fail "expected issuerUrl, emailDomains and existingSecret.name of authProxy and settings.publicUrl, got one of them empty: the proxy needs all of them to know who may call" -}}
{{- end -}}
{{- if $v.service.targetPort -}}
{{- fail "expected one of authProxy.enabled and service.targetPort, got both: name the one that asks who calls" -}}
{{- end -}}
{{- end -}}
{{- if and (or $v.ingress.enabled $v.httpRoute.enabled) (not (include "pushforward.apiPort" .)) -}}
{{- fail "expected authProxy.enabled or service.targetPort for ingress and httpRoute, got neither: the service asks nobody who they are, so something in front of it must" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "expected ingress.hosts, got none: name the host of settings.publicUrl" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "expected httpRoute.parentRefs, got none: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- if le (int $v.terminationGracePeriodSeconds) (int $v.preStopSleepSeconds) -}}
{{- fail "expected terminationGracePeriodSeconds above preStopSleepSeconds, got less: no time would be left to stop in" -}}
{{- end -}}
{{- end -}}
