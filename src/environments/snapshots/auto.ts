import type {Host} from '../../host/host.js'
import {LayerSpaceError} from '../../store/errors.js'
import {timeLabel} from '../../store/history.js'
import {snapshotRunning} from './create.js'
import {findWithHistory} from './restore.js'

/** What became of a request: `large` where too much would have to be copied; `none` where nothing runs. */
export type RequestOutcome = 'made' | 'large' | 'none'

/** A copy of so much takes a few seconds, in which everything in the environment stands still. */
const MOST_COPIED_BYTES = 512 * 2 ** 20
/** Where blocks are shared a copy takes time by files, not by bytes. */
const MOST_SHARED_BYTES = 4 * MOST_COPIED_BYTES
/** What is made unasked must not fill the disk. */
const MOST_OF_FREE_SPACE = 0.25

type Options = {
  readonly isSynced: boolean
  readonly signal: AbortSignal
  /** Called when all goes on in the environment: the point is taken, and not yet kept. */
  readonly onTaken: () => void
}

/**
 * Makes a point to go back to of an environment that runs, because something in it asked for one: thinned by itself, as
 * those made before a start, and of a bounded size.
 *
 * @throws As `takeSnapshot`.
 */
export async function meetRestoreRequest(
  host: Host,
  text: string,
  {isSynced, signal, onTaken}: Options,
): Promise<RequestOutcome> {
  const {name} = await findWithHistory(host, text)
  try {
    const taken = await snapshotRunning(host, name, {
      chooseLabel: (history, now) => timeLabel(history, now, 'apt-'),
      kind: 'automatic',
      bounds: {
        copiedBytes: MOST_COPIED_BYTES,
        sharedBytes: MOST_SHARED_BYTES,
        ofFreeSpace: MOST_OF_FREE_SPACE,
      },
      isSynced,
      signal,
      onTaken,
    })
    return taken === undefined ? 'none' : 'made'
  } catch (error) {
    if (error instanceof LayerSpaceError) return 'large'
    throw error
  }
}
