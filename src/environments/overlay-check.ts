import {EnvsError, errnoOf} from '../errors.js'
import {type Check, pass, warn} from '../host/doctor/check.js'
import type {Host} from '../host/host.js'
import {isMountingRoot} from '../host/privilege.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import type {Identity} from '../sandbox/ids/identity.js'
import {canBeMounted} from '../storage/layered-mount.js'
import {type StackingWay, stackingWay} from './overlay-support.js'

/** What a trial of layers came to. */
export type OverlayFacts = {
  /** Undefined where nothing can be started at all. */
  readonly engine: EngineName | undefined
  /** Undefined where a trial of it failed, or could not be made. */
  readonly way: StackingWay | undefined
  /** What kept the trial from being made. */
  readonly obstacle: 'root' | 'path' | string | undefined
}

/** Stacks layers for real, in the store. */
export async function checkOverlay(
  host: Host,
  {engine, identity}: {engine: EngineName | undefined; identity: Identity},
): Promise<Check> {
  return judgeOverlay({engine, ...(await observe(host, {engine, identity}))})
}

export function judgeOverlay({engine, way, obstacle}: OverlayFacts): Check {
  if (way === 'engine') return pass('overlay', `${engine} mounts layers.`)
  if (way === 'before') return pass('overlay', 'Layers are mounted before the engine starts.')
  return warn('overlay', {
    evidence: describe({engine, obstacle}),
    cost: 'Each environment is a complete copy of its image (storage directory): there are no snapshots, and copies take time and space.',
    remedy:
      obstacle === undefined
        ? 'Use Linux 5.11 or newer, and a file system that overlayfs can write to: set ENVS_HOME to a folder on a local disk.'
        : 'See the other checks.',
  })
}

function describe({engine, obstacle}: Pick<OverlayFacts, 'engine' | 'obstacle'>): string {
  if (engine === undefined) return 'Not tried: no engine works.'
  if (engine === 'proot') return 'proot has no layers.'
  if (obstacle === 'root') return 'Root has no layers: the mounts of the host are locked in its environments.'
  if (obstacle === 'path') return 'The path of the store has a character that overlayfs does not take.'
  return obstacle === undefined ? 'A trial failed.' : `A trial mount failed: ${obstacle}.`
}

async function observe(
  host: Host,
  {engine, identity}: {engine: EngineName | undefined; identity: Identity},
): Promise<Pick<OverlayFacts, 'way' | 'obstacle'>> {
  const none = (obstacle: OverlayFacts['obstacle']) => ({way: undefined, obstacle})
  if (engine === undefined || engine === 'proot') return none('engine')
  if (isMountingRoot(host)) return none('root')
  if (!canBeMounted(host.paths.layers)) return none('path')
  try {
    return {way: await stackingWay(host, identity, engine), obstacle: undefined}
  } catch (error) {
    if (error instanceof EnvsError) return none(error.code)
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return none(errno)
  }
}
