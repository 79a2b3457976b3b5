import {join} from 'node:path'
import * as v from 'valibot'
import {sha256Of} from '../host/digest.js'
import {unlessErrno} from '../host/errno.js'
import {makeFolders, readSmallFile, writeFileAtomic} from '../host/files.js'
import type {Host} from '../host/host.js'
import {parseIfValid} from '../host/records.js'
import {fileId, type ProjectEnvironment} from './environment.js'
import {readInputs} from './inputs.js'
import {canonicalJson} from './key.js'

const trustSchema = v.object({path: v.string(), digest: v.string()})

/** The demands of a file that reach out of the environment. The user allows it once, and again when it changes. */
export type Outreach = {
  /** Lines for the question: `the folder ~/.cache of the host, as /var/cache, to write`. */
  readonly wishes: readonly string[]
  readonly digest: string
}

/** Returns what an environment asks for beyond itself and the folder of its project. */
export function outreachOf({wish, path, table, root}: ProjectEnvironment): Outreach {
  const {volumes = [], ports = [], sources = []} = wish
  const wishes = [
    ...volumes.map(
      ({from, to, readonly}) =>
        `the folder ${from} of the host, as ${to}${readonly ? ', to read' : ', to write'}`,
    ),
    ...ports.map((port) => `the port ${port} of the host`),
    ...sources.map(({uri, key}) => `packages of ${uri}, signed by ${key}`),
  ]
  // With the keys themselves: another key in the same file lets somebody else sign.
  const signed = sources.map((source) => ({...source, key: readInputs(root, [source.key])}))
  return {wishes, digest: sha256Of(canonicalJson({path, table, volumes, ports, sources: signed}))}
}

/** Returns whether the user has allowed exactly this, or nothing has to be allowed. */
export function isAllowed(host: Pick<Host, 'paths'>, environment: ProjectEnvironment): boolean {
  const {wishes, digest} = outreachOf(environment)
  if (wishes.length === 0) return true
  const text = unlessErrno(() => readSmallFile(trustFile(host, environment)), 'ENOENT')
  return text !== undefined && parseIfValid(text, trustSchema)?.digest === digest
}

/** Records that the user has allowed it. */
export async function allow(host: Pick<Host, 'paths'>, environment: ProjectEnvironment): Promise<void> {
  const path = trustFile(host, environment)
  await makeFolders(join(path, '..'), {mode: 0o700})
  const record = {path: environment.path, digest: outreachOf(environment).digest}
  await writeFileAtomic(path, `${JSON.stringify(record)}\n`, {mode: 0o600})
}

/** In the data folder, which no project can write to. */
function trustFile({paths}: Pick<Host, 'paths'>, environment: ProjectEnvironment): string {
  return join(paths.data, 'projects', `${fileId(environment)}.json`)
}
