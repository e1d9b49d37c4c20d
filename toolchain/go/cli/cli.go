//go:build pinned

// Package cli exists for its go.mod and go.sum: they pin the Pulumi CLI, which is built from here as
// github.com/pulumi/pulumi/pkg/v3/cmd/pulumi. The import keeps `go mod` from dropping the requirement.
package cli

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
