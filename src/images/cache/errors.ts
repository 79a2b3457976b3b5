import {EnvsError, ExitCode} from '../../errors.js'
import type {LockHolder} from '../../host/flock.js'
import type {RecordProblem} from '../../host/records.js'

/** A record that this version can't read: made by a newer one, or damaged. */
export class ImageRecordUnreadableError extends EnvsError {
  constructor(path: string, {why, cause}: Omit<RecordProblem, 'isNewer'>) {
    super(`${path} can't be read: ${why}.`, {
      code: 'ENVS_BAD_IMAGE_RECORD',
      exitCode: ExitCode.storage,
      suggestions: ['envs image prune removes it; the image can be fetched again.'],
      cause,
    })
  }
}

/** The name or digest fits no image that is kept. */
export class ImageNotKeptError extends EnvsError {
  /** @param nearest - Names of kept images that look like it. */
  constructor(text: string, nearest: readonly string[]) {
    super(`No image ${JSON.stringify(text)} is kept here.`, {
      code: 'ENVS_IMAGE_NOT_KEPT',
      exitCode: ExitCode.notFound,
      suggestions: [
        ...(nearest.length === 0 ? [] : [`Did you mean ${nearest.join(' or ')}?`]),
        'See what there is: envs image list',
      ],
    })
  }
}

/** A running command fetches the image, or makes an environment from it. */
export class ImageInUseError extends EnvsError {
  constructor(name: string, holders: readonly LockHolder[]) {
    const who = holders.map(({pid, command}) => `${command} (process ${pid})`).join(', ')
    super(`The image ${name} is in use${who === '' ? '' : ` by ${who}`}.`, {
      code: 'ENVS_IMAGE_IN_USE',
      exitCode: ExitCode.conflict,
      suggestions: ['Wait for it to end, then run the command again.'],
    })
  }
}

/** The archive on the disk is no longer the one that was verified when it was fetched. */
export class KeptImageDamagedError extends EnvsError {
  /** @param isRemoved - False while another command still uses it. */
  constructor(name: string, {isRemoved, cause}: {isRemoved: boolean; cause: unknown}) {
    super(`The kept image ${name} is damaged${isRemoved ? ', and was removed' : ''}.`, {
      code: 'ENVS_KEPT_IMAGE_DAMAGED',
      exitCode: ExitCode.integrity,
      suggestions: [
        isRemoved
          ? 'Run the command again: the image is fetched anew. If that repeats, the disk is not well.'
          : `Remove it when nothing uses it any more: envs image rm ${name}`,
      ],
      cause,
    })
  }
}
