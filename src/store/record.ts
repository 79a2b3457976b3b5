import * as v from 'valibot'
import {
  numberField,
  oneOfField,
  orNull,
  parseRecordText,
  type RecordFormat,
  type RecordOf,
  readRecordFile,
  recordCircumstances,
  recordObject,
  timeField,
  writeRecordFile,
} from '../host/records.js'
import {archiveOriginSchema} from '../images/cache/record.js'
import {containerOriginSchema} from '../images/oci/origin.js'
import {publicationSchema} from '../sandbox/network/publication.js'
import {recordUnreadableError} from './errors.js'

/** The image that an environment was made from, and its trust. */
const imageOriginSchema = recordObject({
  /** Absolute path, URL without secrets, or `-`. */
  source: v.string(),
  /** Canonical name and point release or serial; null for a file or a URL that the user gave. */
  name: orNull(v.string()),
  version: orNull(v.string()),
  sha256: v.string(),
  sizeBytes: numberField,
  compression: v.string(),
  trust: oneOfField(['signed', 'digest', 'registry', 'unverified']),
  /** Null unless `signed`, as is `signedAt`. */
  signer: orNull(v.object({fingerprint: v.string(), name: v.string()})),
  signedAt: orNull(timeField),
  /** The packages of an image that envs made from an APT repository; null for others. */
  archive: orNull(archiveOriginSchema),
  /** Of an image of containers: its digests, and the configuration that sessions follow. */
  container: v.exactOptional(containerOriginSchema),
})

/**
 * The program that is pid 1 of an environment:
 * - `none`: one of envs that only reaps. Services are not started.
 * - `systemd`: the guest's own.
 * - `services`: a supervisor of envs that reads unit files.
 */
export const INIT_KINDS = ['none', 'systemd', 'services'] as const

export type InitKind = (typeof INIT_KINDS)[number]

/**
 * The network of an environment:
 * - `host`: the network of the host.
 * - `none`: one of its own, with a loopback alone.
 * - `private`: one of its own that leads out, and not to the host.
 */
export const NETWORK_KINDS = ['host', 'none', 'private'] as const

export type NetworkKind = (typeof NETWORK_KINDS)[number]

/**
 * The settings of an environment apart from its image: the place for network, limits and mounts. Unknown settings are refused,
 * in a record of this version as well: a session that ignores one could be less isolated than the user asked for.
 * `create`, `import` and `set` write them, `clone` copies them.
 */
const environmentSettingsSchema = v.strictObject({
  /** The first process; missing for `none`. */
  init: v.exactOptional(oneOfField(INIT_KINDS)),
  /** Missing for the host's network. */
  network: v.exactOptional(oneOfField(NETWORK_KINDS)),
  /** Ports of the host that lead to an environment with a network of its own. */
  publish: v.exactOptional(v.array(publicationSchema)),
  /** Networks as ADDRESS/LENGTH, the only ones that a private network leads to. */
  allow: v.exactOptional(v.array(v.string())),
  /** Hosts that an environment without another way out reaches through a proxy. */
  allowHosts: v.exactOptional(v.array(v.string())),
})

export type EnvironmentSettings = RecordOf<typeof environmentSettingsSchema>

const idBlockSchema = v.object({inside: numberField, outside: numberField, count: numberField})

/** The ids of a user namespace, and those of the host that they are: the owners on disk of a tree with the identity mapped. */
export const idMapSchema = v.object({uids: v.array(idBlockSchema), gids: v.array(idBlockSchema)})

export type IdMap = RecordOf<typeof idMapSchema>

const environmentSchema = recordObject({
  createdAt: timeField,
  image: imageOriginSchema,
  identity: oneOfField(['mapped', 'emulated']),
  /** `overlay`: layers that environments share, below the environment's upper layer; `directory`: a whole tree. */
  storage: oneOfField(['overlay', 'directory']),
  /** dpkg's name; a newer version of envs may write others. */
  architecture: v.string(),
  extraction: recordObject({
    entries: numberField,
    sizeBytes: numberField,
    /** Device nodes that an ordinary user can't make. */
    skippedDevices: numberField,
    /** Owners outside the subuid range, replaced by `nobody`. */
    squashedOwners: numberField,
    /** Files whose capabilities were not set. */
    fileCapabilities: numberField,
  }),
  settings: environmentSettingsSchema,
  /** The owners on disk, for the identity mapped; older versions of envs did not record them. */
  ids: v.exactOptional(idMapSchema),
})

/** The facts of an environment since its creation. A folder is an environment when it contains `env.json`, written last. */
export type EnvironmentRecord = RecordOf<typeof environmentSchema>

const ENVIRONMENT_FORMAT: RecordFormat<typeof environmentSchema> = {
  schema: environmentSchema,
  version: 2,
  migrations: [(first) => ({...first, settings: {}})],
  // A record has a kilobyte, and a hundred bytes for each package of an image that envs made from packages.
  maxBytes: 4 * 2 ** 20,
  indent: 2,
  unreadable: (path, problem) =>
    recordUnreadableError({path, reason: problem.why}, recordCircumstances(problem)),
}

/** Writes the record by one rename. @param options.isSynced - Whether to sync the file to the disk. */
export async function writeRecord(
  path: string,
  record: EnvironmentRecord,
  options: {readonly isSynced?: boolean} = {},
): Promise<void> {
  await writeRecordFile(path, record, {...ENVIRONMENT_FORMAT, ...options})
}

/** Reads the record; undefined when it is missing: the folder is no environment. @throws {recordUnreadableError} */
export async function readRecord(path: string): Promise<EnvironmentRecord | undefined> {
  return readRecordFile(path, ENVIRONMENT_FORMAT)
}

/** Parses a record. @param path - For the error message only. @throws {recordUnreadableError} Naming the first field that is wrong. */
export function parseRecord(text: string, path: string): EnvironmentRecord {
  return parseRecordText(text, path, ENVIRONMENT_FORMAT)
}

/** Returns the init of an environment: `none` where the record names none. */
export function initOf({settings}: Pick<EnvironmentRecord, 'settings'>): InitKind {
  return settings.init ?? 'none'
}

/** Returns the network of an environment. */
export function networkOf({settings}: Pick<EnvironmentRecord, 'settings'>): NetworkKind {
  return settings.network ?? 'host'
}
