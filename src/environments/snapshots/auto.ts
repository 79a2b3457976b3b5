import type {Host} from '../../host/host.js'
import {LayerSpaceError} from '../../store/errors.js'
import {timeLabel} from '../../store/history.js'
import {snapshotRunning} from './create.js'
import {findWithHistory} from './stopped.js'

/** The result of a request: `large` where the copy would exceed a bound; `none` where nothing runs. */
export type RequestOutcome = 'made' | 'large' | 'none'

/** A copy of this size takes a few seconds, and all processes of the environment are frozen meanwhile. */
const MAX_COPIED_BYTES = 512 * 2 ** 20
/** With shared blocks (reflinks), the time of a copy depends on the number of files, not of bytes. */
const MAX_SHARED_BYTES = 4 * MAX_COPIED_BYTES
/** An automatic restore point must not fill the disk. */
const MAX_FREE_SPACE_SHARE = 0.25

type RestoreRequestOptions = {
  readonly isSynced: boolean
  readonly signal: AbortSignal
  /** Called when the processes run again: the files are copied, and the history does not list the restore point yet. */
  readonly onTaken: () => void
}

/**
 * Makes a restore point of a running environment on a request from inside, for example before APT changes packages. Its size
 * is bounded, and retention removes it like the restore points made before a start.
 *
 * @throws As `takeSnapshot`.
 */
export async function handleRestoreRequest(
  host: Host,
  text: string,
  {isSynced, signal, onTaken}: RestoreRequestOptions,
): Promise<RequestOutcome> {
  const {name} = await findWithHistory(host, text)
  try {
    const taken = await snapshotRunning(host, name, {
      chooseLabel: (history, now) => timeLabel(history, now, 'apt-'),
      kind: 'automatic',
      bounds: {
        copiedBytes: MAX_COPIED_BYTES,
        sharedBytes: MAX_SHARED_BYTES,
        freeSpaceShare: MAX_FREE_SPACE_SHARE,
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
