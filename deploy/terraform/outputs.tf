output "url" {
  description = "Where the gateway is, inside of the cluster."
  value       = "http://${helm_release.gateway.name}.${var.namespace}"
}

output "dev_key" {
  description = "A client's key: terraform output -raw dev_key."
  value       = random_password.gateway["LLMITM_DEV_KEY"].result
  sensitive   = true
}

output "admin_token" {
  description = "The token of the admin API: terraform output -raw admin_token."
  value       = random_password.gateway["LLMITM_ADMIN_TOKEN"].result
  sensitive   = true
}
