import type {DebArchitecture} from '../host/architecture.js'
import {capture} from '../host/process.js'
import {scriptWords} from '../host/script.js'
import {systemCalls} from '../host/system-calls.js'
import {layerSpaceError, squashFailedError} from './errors.js'
import {layerFiles} from './layer-files.js'
import type {LayerId} from './layer-id.js'
import type {Run} from './squash-plan.js'

/** Exit status of templates/host/squash.pl on a full disk: ENOSPC. */
const FULL_STATUS = 28

type Merger = {
  /** Absolute path of the Perl that runs the program. */
  readonly perl: string
  readonly architecture: DebArchitecture
  /** Prefix that makes the program root of a user namespace with the layers' owners. */
  readonly prefix: readonly string[]
  readonly environment: NodeJS.ProcessEnv
}

/**
 * Fills a new layer's folder with one tree that replaces the layers of a run, by hard links to their files.
 *
 * @param layers - The folder of all of them.
 * @param into - Its folder is there, its tree is not.
 * @throws {LayerSpaceError} @throws {@link squashFailedError} What was made until then is left.
 */
export async function mergeLayers(
  {perl, architecture, prefix, environment}: Merger,
  {layers, run, into}: {layers: string; run: Run; into: LayerId},
): Promise<void> {
  const {fsetxattr, statx, utimensat} = systemCalls(architecture)
  const argv = [
    ...[...prefix, ...scriptWords(perl, 'squash')],
    ...[fsetxattr, statx, utimensat].map(String),
    ...[into, ...[...run].reverse()].map((id) => layerFiles(layers, id).tree),
  ]
  const {status, stderr} = await capture(argv, {cwd: '/', env: {...environment, LC_ALL: 'C'}})
  if (status === FULL_STATUS) throw layerSpaceError({folder: layers})
  if (status !== 0) throw squashFailedError({}, {cause: new Error(stderr.slice(0, 4096))})
}
