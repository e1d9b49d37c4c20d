import { docker } from "../../operations/docker/run.ts";
import { rangeOf, toAddress } from "../../operations/plan/addresses.ts";

/**
 * Address of this machine that containers on every network reach. A Docker daemon that has made its bridge itself does not tell its
 * gateway until it has been started once more; it is the first address of the subnet then.
 */
export async function bridgeAddress(): Promise<string> {
  const format = "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}";
  const [subnet = "", gateway = ""] = (
    await docker(["network", "inspect", "bridge", "--format", format])
  ).split(" ");
  if (gateway !== "") return gateway;
  if (subnet === "") throw new Error("Docker's bridge has no subnet on this machine");
  return toAddress(rangeOf(subnet).first + 1);
}
