// pulumi-resource-docker, for machines where the official plugin cannot be downloaded: the same upstream provider
// behind the same bridge, with the official tokens and property names for the resource types listed in tokens.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-docker/reexport"
)

// version is the @pulumi/docker release whose declarations this build follows; set with -ldflags -X main.version.
var version = "0.0.0-dev"

func main() {
	tfbridge.Main("docker", version, provider(), []byte("{}"))
}

func provider() tfbridge.ProviderInfo {
	upstream := shimv2.NewProvider(reexport.New(version))
	resources := map[string]*tfbridge.ResourceInfo{
		"docker_container": {
			Tok: token("container", "Container"),
			// A name and a published port belong to one container at a time: the old one goes first.
			DeleteBeforeReplace: true,
			Fields: map[string]*tfbridge.SchemaInfo{
				"name":              autoName(),
				"command":           {Name: "command"},
				"networks_advanced": {Name: "networksAdvanced"},
			},
		},
		"docker_image":   {Tok: token("remoteImage", "RemoteImage")},
		"docker_network": {Tok: token("network", "Network"), Fields: map[string]*tfbridge.SchemaInfo{"name": autoName()}},
		"docker_volume":  {Tok: token("volume", "Volume"), Fields: map[string]*tfbridge.SchemaInfo{"name": autoName()}},
		"docker_service": {Tok: token("service", "Service"), Fields: map[string]*tfbridge.SchemaInfo{"name": autoName()}},
		"docker_tag":     {Tok: token("tag", "Tag")},
	}
	return tfbridge.ProviderInfo{
		P:              upstream,
		Name:           "docker",
		DisplayName:    "Docker",
		Version:        version,
		Resources:      resources,
		IgnoreMappings: unmapped(upstream, resources),
	}
}

func token(module, name string) tokens.Type {
	return tfbridge.MakeType("docker", "index/"+module, name)
}

// autoName is the official plugin's: a name left out becomes the resource's name and a random suffix.
func autoName() *tfbridge.SchemaInfo { return tfbridge.AutoName("name", 255, "-") }

// unmapped lists what upstream has and the program does not use; the bridge wants every type mapped or listed.
func unmapped(upstream shim.Provider, resources map[string]*tfbridge.ResourceInfo) []string {
	names := []string{}
	upstream.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if _, mapped := resources[name]; !mapped {
			names = append(names, name)
		}
		return true
	})
	upstream.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		names = append(names, name)
		return true
	})
	return names
}
