variable "kubeconfig" {
  description = "The kubeconfig file that names the cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Its context; make kind-create makes the one of the default."
  type        = string
  default     = "kind-llmitm"
}

variable "namespace" {
  description = "Where everything goes; made here."
  type        = string
  default     = "llmitm"
}

variable "image" {
  description = "The gateway's image, which the cluster can get: kind load docker-image llmitm:TAG."
  type        = object({ repository = string, tag = string })
  default     = { repository = "llmitm", tag = "0.1.0" }
}

variable "replicas" {
  description = "How many gateways. More than one needs ledger_url and shared_url."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1
    error_message = "There has to be at least one."
  }
}

variable "ledger_url" {
  description = "postgresql://user:password@host/name; without it the ledger is SQLite in the pod."
  type        = string
  default     = null
  sensitive   = true
}

variable "shared_url" {
  description = "redis://:password@host:6379/0, for several gateways."
  type        = string
  default     = null
  sensitive   = true
}

variable "provider_keys" {
  description = "Credentials of providers, as { OPENAI_API_KEY = \"…\" }."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "values" {
  description = "What else to give the chart, as in its values.yaml; it wins."
  type        = any
  default     = {}
}
