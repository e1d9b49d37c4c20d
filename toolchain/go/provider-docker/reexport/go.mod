module github.com/terraform-providers/terraform-provider-docker/reexport

go 1.25.8
