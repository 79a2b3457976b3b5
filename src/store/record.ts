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
  timeField,
  writeRecordFile,
} from '../host/records.js'
import {archiveOriginSchema} from '../images/cache/record.js'
import {recordUnreadableError} from './errors.js'

/** The archive an environment was made from, and who vouched for it. */
const imageOriginSchema = v.object({
  /** Absolute path, URL without secrets, or `-`. */
  source: v.string(),
  /** Canonical name and point release or serial; null for a file or a URL of the user's own. */
  name: orNull(v.string()),
  version: orNull(v.string()),
  sha256: v.string(),
  sizeBytes: numberField,
  compression: v.string(),
  trust: oneOfField(['signed', 'digest', 'unverified']),
  /** Null unless `signed`, as is `signedAt`. */
  signer: orNull(v.object({fingerprint: v.string(), name: v.string()})),
  signedAt: orNull(timeField),
  /** What an image was made of that came from a package archive; null for others. */
  archive: orNull(archiveOriginSchema),
})

/**
 * What was asked of an environment, beside its image: network, limits, mounts and the like have their place here. What is
 * not known is refused, in a record of this version too: a session without it could be less isolated than was asked.
 * `create` and `import` write it, `clone` copies it.
 */
const environmentSettingsSchema = v.strictObject({})

const environmentSchema = v.object({
  createdAt: timeField,
  image: imageOriginSchema,
  identity: oneOfField(['mapped', 'emulated']),
  /** `overlay`: layers that others may share, with one of its own on top; `directory`: a whole tree. */
  storage: oneOfField(['overlay', 'directory']),
  /** dpkg's name; a newer version may know more of them. */
  architecture: v.string(),
  extraction: v.object({
    entries: numberField,
    sizeBytes: numberField,
    /** Device nodes that an ordinary user can't make. */
    skippedDevices: numberField,
    /** Owners outside the subordinate range, given to nobody. */
    squashedOwners: numberField,
    /** Files whose capabilities were not set. */
    fileCapabilities: numberField,
  }),
  settings: environmentSettingsSchema,
})

/** What is known of an environment from its creation on; `env.json`, written last, makes it one. */
export type EnvironmentRecord = RecordOf<typeof environmentSchema>

const ENVIRONMENT_FORMAT: RecordFormat<typeof environmentSchema> = {
  schema: environmentSchema,
  version: 2,
  migrations: [(first) => ({...first, settings: {}})],
  // A kilobyte, and a hundred bytes for each package of an image that was made of packages.
  maxBytes: 4 * 2 ** 20,
  indent: 2,
  unreadable: (path, problem) =>
    recordUnreadableError({path, reason: problem.why}, recordCircumstances(problem)),
}

export async function writeRecord(
  path: string,
  record: EnvironmentRecord,
  options: {readonly isSynced?: boolean} = {},
): Promise<void> {
  await writeRecordFile(path, record, {...ENVIRONMENT_FORMAT, ...options})
}

/** @throws {recordUnreadableError} @returns undefined when there is none: no environment. */
export async function readRecord(path: string): Promise<EnvironmentRecord | undefined> {
  return readRecordFile(path, ENVIRONMENT_FORMAT)
}

/** @param path - For the message alone. @throws {recordUnreadableError} Naming the first field that is wrong. */
export function parseRecord(text: string, path: string): EnvironmentRecord {
  return parseRecordText(text, path, ENVIRONMENT_FORMAT)
}
