{{/* The container beside the service that asks who calls. */}}
{{- define "pushforward.authProxy" -}}
{{- $p := .Values.authProxy -}}
- name: auth-proxy
  image: {{ include "pushforward.imageOf" (dict "image" $p.image "version" "") }}
  imagePullPolicy: {{ $p.image.pullPolicy }}
  args:
    - --provider=oidc
    - --oidc-issuer-url={{ $p.issuerUrl }}
    - --http-address=0.0.0.0:4180
    - --upstream=http://127.0.0.1:4000
    - --redirect-url={{ .Values.settings.publicUrl }}/oauth2/callback
    - --reverse-proxy=true
    - --skip-provider-button=true
    - --cookie-secure={{ hasPrefix "https://" .Values.settings.publicUrl }}
    - --cookie-samesite=lax
    - --code-challenge-method=S256
    - --silence-ping-logging=true
    # Programs are told that they may not, and not sent to a page. Links to objects are signed.
    - --api-route=^/graphql$
    - --skip-auth-route=^/objects/
    - --skip-jwt-bearer-tokens={{ $p.bearerTokens }}
    {{- range $p.emailDomains }}
    - --email-domain={{ . }}
    {{- end }}
    {{- range $p.allowedGroups }}
    - --allowed-group={{ . }}
    {{- end }}
    {{- range $p.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    {{- range $name, $key := dict "OAUTH2_PROXY_CLIENT_ID" $p.existingSecret.clientIdKey "OAUTH2_PROXY_CLIENT_SECRET" $p.existingSecret.clientSecretKey "OAUTH2_PROXY_COOKIE_SECRET" $p.existingSecret.cookieSecretKey }}
    - name: {{ $name }}
      valueFrom:
        secretKeyRef:
          name: {{ $p.existingSecret.name }}
          key: {{ $key }}
    {{- end }}
  ports:
    - name: proxy
      containerPort: 4180
  livenessProbe:
    httpGet: { path: /ping, port: proxy }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: { path: /ready, port: proxy }
    periodSeconds: 10
    timeoutSeconds: 5
  lifecycle:
    preStop:
      sleep: { seconds: {{ .Values.preStopSleepSeconds }} }
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml $p.resources | nindent 4 }}
{{- end -}}
