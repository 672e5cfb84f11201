/**
 * The variables of a Pod: which of them the author of an EventSource may set (`template.container.env` and `envFrom`). What decides which
 * code runs, whom it trusts or what it prints is not his: what his object asks for is served by our code and by nobody else's.
 */

/**
 * Before names that nobody has looked at yet: those of `envFrom`, and those that may count only once the process runs. Neither the loader nor Node
 * knows a variable of such a name; the process takes those that it may have, before anything reads them.
 */
export const HELD_BACK = 'VEDETTE_ENV_'

/** Null: he may. Else why not, as the rest of a sentence, and what to do instead. */
export interface Refusal {
  why: string
  remedy: string
}

const elsewhere = 'take it out'
const runtime: Refusal = { why: 'steers the runtime, which is not the author’s', remedy: elsewhere }
const printing: Refusal = {
  why: 'makes libraries print what they send, Secrets too',
  remedy: 'take it out; LOG_LEVEL is for the log',
}
const ours: Refusal = { why: 'is set by the controller', remedy: elsewhere }
const cluster: Refusal = { why: 'is set by Kubernetes', remedy: elsewhere }
const programs: Refusal = { why: 'has programs started, and a Pod starts none', remedy: elsewhere }

const refusals: [names: RegExp, Refusal][] = [
  [/^(NODE_DEBUG.*|DEBUG(_.*)?|(GRPC|GRPC_NODE)_(TRACE|VERBOSITY)|AZURE_LOG_LEVEL|GOOGLE_SDK_NODE_\w+)$/, printing],
  [/^(EVENTSOURCE_OBJECT|EVENTBUS_\w+|POD_NAME|POD_IP|VEDETTE_.*)$/, ours],
  [
    /^LEADER_ELECTION$/,
    { ...ours, remedy: 'write the annotation events.argoproj.io/leader-election on the EventSource' },
  ],
  [/^(KUBERNETES_.*|KUBECONFIG|HOSTNAME)$/, cluster],
  [/^GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES$/, programs],
  // Node, libuv, V8, ICU, OpenSSL, and addons that are looked for elsewhere.
  [
    /^(NODE|UV|V8|ICU|OPENSSL|SSL|NAPI|SIMDUTF|SIMDJSON|WATCH|npm|NPM)_|^SSLKEYLOGFILE$|_PREBUILD$|^PREBUILDS_ONLY$/,
    runtime,
  ],
  // The loader and libc; and what shells and programs go by.
  [
    /^(LD|DYLD|GLIBC|MALLOC|LIBC|RES|NIS|RESOLV)_|^_RLD|^(LIBC|LOCALDOMAIN|HOSTALIASES|LOCPATH|NLSPATH|TZDIR)$/,
    runtime,
  ],
  [/^(GCONV_PATH|GETCONF_DIR|PATH|SHELL|SHELLOPTS|BASHOPTS|BASH_.*|ENV|IFS|PS4|CDPATH|PROMPT_COMMAND)$/, runtime],
]

/** Certificates of authorities of the author's own, by the names that Argo Events' and Node's users know: files of PEM, or a directory of them. */
export const AUTHORITIES = ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS'] as const

/** They are his, but not before the process runs: the loader, Node and OpenSSL would go by them. */
const LATER: readonly string[] = [...AUTHORITIES, 'HOME']

/** Whether it is given to the process by its own name only once that runs. */
export function isLater(name: string): boolean {
  return LATER.includes(name)
}

/** Whether the author of an EventSource may not set the variable `name`. */
export function variableRefused(name: string): Refusal | null {
  if (isLater(name)) return null
  return refusals.find(([names]) => names.test(name))?.[1] ?? null
}

/**
 * All that our code and its libraries read, and of them nothing that is refused above: clouds' own names, proxies, time, the log, and what the controller and
 * Kubernetes set. What is not here does nothing, so the process is not given it: a library could begin to read it.
 */
const READ = [
  /^(EVENTSOURCE_OBJECT|EVENTBUS_CONFIG|EVENTBUS_SUBJECT|POD_NAME|POD_IP|NAMESPACE|LEADER_ELECTION(_\w+)?|LOG_LEVEL|TZ)$/,
  /^(KUBERNETES_SERVICE_HOST|KUBERNETES_SERVICE_PORT|KUBECONFIG|HOME|PATH|HOSTNAME|TMPDIR|LANG|LC_\w+|NODE_ENV)$/,
  /^(AWS|AZURE|GOOGLE|GCLOUD|GCP|GCE|CLOUDSDK|PUBSUB|OTEL|IDENTITY|MSI|IMDS)_\w+$/,
  /^(google_application_credentials|google_cloud_project|gcloud_project|METADATA_SERVER_DETECTION)$/,
  /^((http|https|all|no|grpc|no_grpc)_proxy|(HTTP|HTTPS|ALL|NO|GRPC|NO_GRPC)_PROXY)$/,
  /^GRPC_(DEFAULT_SSL_ROOTS_FILE_PATH|SSL_CIPHER_SUITES)$/,
]

/** Whether anything in a Pod reads it. */
export function isRead(name: string): boolean {
  return READ.some((names) => names.test(name))
}
