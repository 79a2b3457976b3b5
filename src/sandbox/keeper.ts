import type {Lock} from '../host/flock.js'
import {templatePath} from '../host/paths.js'
import {start} from '../host/process.js'
import {coverStrays} from './cover-strays.js'

type Kept = {
  readonly liveness: Lock
  /** The reading end of what the first process of the environment has open to write. */
  readonly aliveReader: number
  readonly devNull: number
}

/** With an environment that has a holder, which is told when there are no sessions. */
type KeptEnvironment = Kept & {readonly looksWriter: number; readonly hold: number}

/**
 * Leaves a process behind that keeps the lock until the environment has ended; templates/host/keeper.sh says more.
 *
 * Of the environment's own processes none has the lock: what they have open, the guest's root can open anew, lock and give away.
 */
export function startKeeper(
  kept: ({readonly kind: 'environment'} & KeptEnvironment) | ({readonly kind: 'script'} & Kept),
): void {
  const {aliveReader, devNull, liveness} = kept
  const [role, looks, hold] =
    kept.kind === 'environment' ? ['holder', kept.looksWriter, kept.hold] : ['script', devNull, devNull]
  const stdio = ['ignore', 'ignore', 'ignore', aliveReader, looks, hold, liveness.fd] as const
  const child = start(['/bin/sh', templatePath('host/keeper.sh'), String(role)], {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin'},
    // Ctrl-C at the terminal of the session that started it is not meant for it.
    detached: true,
    stdio: coverStrays([...stdio], devNull),
  })
  // Without it the lock goes with this process; the state file still names the running environment.
  child.on('error', () => {})
  child.unref()
}
