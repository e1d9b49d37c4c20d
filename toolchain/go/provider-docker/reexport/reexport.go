// Package reexport hands out the upstream provider. Its constructor sits in an internal package, which Go lets only
// code below the same path import; that is why this module's path begins with the upstream's.
package reexport

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// New makes the upstream Docker provider.
func New(version string) *schema.Provider { return provider.New(version)() }
