import { status, type sendUnaryData, type ServerUnaryCall, type ServiceError } from "@grpc/grpc-js";
import protobuf from "google-protobuf/google/protobuf/empty_pb.js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import proto from "@pulumi/pulumi/proto/provider_pb.js";
import { check, type Naming } from "./check.ts";
import { inOfficialWords } from "./errors.ts";
import { create, pluginVersion, read, remove, resourceType, unsupported, update } from "./operations.ts";
import { diff, type Change } from "./plan.ts";
import { connectTo } from "./server.ts";
import { connectionSettings } from "./settings.ts";
import { same } from "./values.ts";
import { receive, send, type Received, type Scalar } from "./wire.ts";
import type { ResourceType, Server } from "./model.ts";

const { PropertyDiff, DiffResponse } = proto;

/** The methods of pulumirpc.ResourceProvider, as far as a provider of plain resources has them. */
export function service(env: Readonly<Record<string, string | undefined>>) {
  let server: (() => Server) | undefined;
  const configured = (): Server => {
    if (server === undefined) throw new Error("the provider is not configured");
    return server();
  };

  return {
    getPluginInfo: unary(() => new pluginProto.PluginInfo().setVersion(pluginVersion)),
    attach: unary(() => new protobuf.Empty()),
    cancel: unary(() => new protobuf.Empty()),

    checkConfig: unary((request: proto.CheckRequest) => {
      const { values, secrets } = receive(request.getNews());
      return new proto.CheckResponse().setInputs(send(values, new Set([...secrets, "password"])));
    }),

    diffConfig: unary((request: proto.DiffRequest) => {
      const olds = receive(request.getOlds()).values;
      const news = receive(request.getNews()).values;
      const names = new Set([...Object.keys(olds), ...Object.keys(news)]);
      const changed = [...names].filter((name) => !same(olds[name] ?? null, news[name] ?? null));
      return new DiffResponse().setDiffsList(changed.sort()).setChanges(changes(changed.length > 0));
    }),

    configure: unary((request: proto.ConfigureRequest) => {
      // Read now, so that a mistake shows at once; nothing connects yet.
      const settings = connectionSettings(configuration(receive(request.getArgs())), env);
      const connected = connectTo(settings);
      server = () => connected;
      return new proto.ConfigureResponse()
        .setAcceptsecrets(true)
        .setSupportspreview(true)
        .setSupportsAutonamingConfiguration(true);
    }),

    check: unary((request: proto.CheckRequest) => {
      const type = typeOf(request.getUrn());
      const olds = receive(request.getOlds());
      const news = receive(request.getNews());
      const old = request.hasOlds() ? { values: olds.values, defaults: olds.defaults } : undefined;
      const { inputs, defaults, failures } = check(type, news.values, old, naming(request));
      return new proto.CheckResponse()
        .setInputs(send(inputs, secretsOf(type, news), defaults))
        .setFailuresList(
          failures.map(({ property, reason }) =>
            new proto.CheckFailure().setProperty(property).setReason(reason),
          ),
        );
    }),

    diff: unary((request: proto.DiffRequest) => {
      const news = receive(request.getNews());
      const { values: olds } = receive(request.getOlds());
      const found = diff(typeOf(request.getUrn()), olds, news.values, {
        ignored: request.getIgnorechangesList(),
        defaults: news.defaults,
      });
      const response = new DiffResponse()
        .setChanges(changes(found.changed.length > 0))
        .setDiffsList([...found.changed])
        .setReplacesList([...found.replaces])
        .setStablesList([...found.stable])
        .setDeletebeforereplace(found.deleteBeforeReplace)
        .setHasdetaileddiff(true);
      for (const [path, change] of found.changes) {
        response.getDetaileddiffMap().set(path, new PropertyDiff().setKind(kindOf(change)));
      }
      return response;
    }),

    create: unary(async (request: proto.CreateRequest) => {
      const type = typeOf(request.getUrn());
      const news = receive(request.getProperties());
      const { id, outputs } = await officially("", () =>
        create(type, configured, news.values, request.getPreview()),
      );
      return new proto.CreateResponse().setId(id).setProperties(send(outputs, secretsOf(type, news)));
    }),

    read: unary(async (request: proto.ReadRequest) => {
      const type = typeOf(request.getUrn());
      const state = receive(request.getProperties());
      const inputs = receive(request.getInputs());
      const found = await officially(`refreshing ${request.getUrn()}: `, () =>
        read(type, configured, request.getId(), state.values, inputs),
      );
      if (found === undefined) return new proto.ReadResponse();
      const secrets = secretsOf(type, state, inputs);
      return new proto.ReadResponse()
        .setId(found.id)
        .setProperties(send(found.outputs, secrets))
        .setInputs(send(found.inputs.values, secrets, found.inputs.defaults));
    }),

    update: unary(async (request: proto.UpdateRequest) => {
      const type = typeOf(request.getUrn());
      const olds = receive(request.getOlds()).values;
      const news = receive(request.getNews());
      const { outputs } = await officially(`updating ${request.getUrn()}: `, () =>
        update(type, configured, request.getId(), olds, news.values, {
          preview: request.getPreview(),
          ignored: request.getIgnorechangesList(),
        }),
      );
      return new proto.UpdateResponse().setProperties(send(outputs, secretsOf(type, news)));
    }),

    delete: unary(async (request: proto.DeleteRequest) => {
      const type = typeOf(request.getUrn());
      const state = receive(request.getProperties()).values;
      await officially(`deleting ${request.getUrn()}: `, () =>
        remove(type, configured, request.getId(), state),
      );
      return new protobuf.Empty();
    }),

    invoke: unary((request: proto.InvokeRequest): proto.InvokeResponse => {
      throw new Error(unsupported(request.getTok()));
    }),
  };
}

type Handler<Request, Response> = (
  call: ServerUnaryCall<Request, Response>,
  callback: sendUnaryData<Response>,
) => void;

/** A method that answers once; what it throws becomes the error the engine shows. */
function unary<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
): Handler<Request, Response> {
  return (call, callback) => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(asServiceError(error)),
      );
  };
}

function asServiceError(error: unknown): Partial<ServiceError> {
  return { code: status.UNKNOWN, details: error instanceof Error ? error.message : String(error) };
}

/** Wraps what an operation throws as the official plugin shows it: a list, with what was being done in front. */
async function officially<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${doing}1 error occurred:\n\t* ${inOfficialWords(error)}\n\n`, { cause: error });
  }
}

/** The type is the last part of `urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`. */
function typeOf(urn: string): ResourceType {
  const qualified = urn.split("::")[2] ?? "";
  return resourceType(qualified.split("$").at(-1) ?? "");
}

function naming(request: proto.CheckRequest): Naming {
  const options = request.getAutonaming();
  const base = {
    resource: request.getUrn().split("::").slice(3).join("::"),
    seed: request.getRandomseed_asU8(),
  };
  if (options === undefined) return base;
  const { ENFORCE, DISABLE } = proto.CheckRequest.AutonamingOptions.Mode;
  const mode = options.getMode();
  return {
    ...base,
    configured: {
      mode: mode === DISABLE ? "disable" : mode === ENFORCE ? "enforce" : "propose",
      name: options.getProposedName(),
    },
  };
}

/** Secret are the type's own secrets and whatever came in as one. */
function secretsOf(type: ResourceType, ...received: readonly Received[]): ReadonlySet<string> {
  const own = Object.entries(type.properties).flatMap(([name, { secret }]) =>
    secret === true ? [name] : [],
  );
  return new Set([...own, ...received.flatMap(({ secrets }) => [...secrets])]);
}

function configuration({ values }: Received): Readonly<Record<string, Scalar>> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      if (typeof value === "symbol") throw new Error(`postgresql:${key} is not known yet`);
      return [key, value !== null && typeof value === "object" ? JSON.stringify(value) : value];
    }),
  );
}

function changes(some: boolean): proto.DiffResponse.DiffChanges {
  return some ? DiffResponse.DiffChanges.DIFF_SOME : DiffResponse.DiffChanges.DIFF_NONE;
}

function kindOf({ kind, replace }: Change): proto.PropertyDiff.Kind {
  const kinds = PropertyDiff.Kind;
  switch (kind) {
    case "add":
      return replace ? kinds.ADD_REPLACE : kinds.ADD;
    case "update":
      return replace ? kinds.UPDATE_REPLACE : kinds.UPDATE;
    case "delete":
      return replace ? kinds.DELETE_REPLACE : kinds.DELETE;
  }
}
