import {EnvsError, ExitCode} from '../errors.js'
import type {LockHolder} from '../host/flock.js'
import type {Snapshot} from '../storage/history.js'

/** An environment has no snapshot of that label. */
export class SnapshotNotFoundError extends EnvsError {
  /** @param nearest - Labels there are that look like it. */
  constructor(name: string, label: string, nearest: readonly string[]) {
    super(`${name} has no snapshot ${label}.`, {
      code: 'ENVS_NO_SNAPSHOT',
      exitCode: ExitCode.notFound,
      suggestions:
        nearest.length > 0
          ? [`Did you mean ${nearest.join(' or ')}?`]
          : [`See what there is: envs snapshots ${name}`],
    })
  }
}

export class SnapshotExistsError extends EnvsError {
  constructor(name: string, label: string) {
    super(`${name} has a snapshot ${label} already.`, {
      code: 'ENVS_SNAPSHOT_EXISTS',
      exitCode: ExitCode.conflict,
      suggestions: [
        `Choose another label, or take that one away first: envs snapshots ${name} --remove ${label}`,
      ],
    })
  }
}

/** Nothing that is known was there before what is there now. */
export class NothingToUndoError extends EnvsError {
  constructor(name: string, {newest}: {newest: Snapshot | undefined}) {
    super(`Nothing is known of ${name} before its present state.`, {
      code: 'ENVS_NOTHING_TO_UNDO',
      exitCode: ExitCode.notFound,
      suggestions: [
        ...(newest === undefined
          ? []
          : [`Go forward to what was there: envs restore ${name} ${newest.label}`]),
        `Begin again with its image: envs reset ${name}`,
      ],
    })
  }
}

/** The environment is one tree, and has no points in time. */
export class NoHistoryError extends EnvsError {
  constructor(name: string, image: string) {
    super(`${name} is kept as one folder, of which there are no snapshots.`, {
      code: 'ENVS_NO_HISTORY',
      exitCode: ExitCode.conflict,
      suggestions: [
        `Keep a copy of it: envs clone ${name} ${name}-copy`,
        `Or make a new one that can go back: ENVS_STORAGE=overlay envs create ${image} --name OTHER`,
      ],
    })
  }
}

/** A stack that can't be mounted any more, and can't be made lower. */
export class TooManySnapshotsError extends EnvsError {
  constructor(name: string, snapshots: readonly Snapshot[]) {
    const oldest = snapshots.filter(({kind}) => kind !== 'automatic').slice(0, 3)
    const remove = oldest.map(({label}) => `--remove ${label}`).join(' ')
    super(`${name} has as many snapshots as can lie under one environment.`, {
      code: 'ENVS_TOO_MANY_SNAPSHOTS',
      exitCode: ExitCode.conflict,
      suggestions: [
        `Remove some: envs snapshots ${name} ${remove === '' ? '--remove LABEL' : remove}`,
        'Without Perl the layers between them can not be merged; get it: envs doctor --fetch perl',
      ],
    })
  }
}

/** Leftovers are being taken away for longer than that takes. */
export class LayersBusyError extends EnvsError {
  constructor(holders: readonly LockHolder[]) {
    const who = holders.map(({pid, command}) => `${command} (process ${pid})`).join(', ')
    super(`Another envs tidies up the store${who === '' ? '' : `: ${who}`}.`, {
      code: 'ENVS_BUSY',
      exitCode: ExitCode.conflict,
      suggestions: ['Run the command again.'],
    })
  }
}

/** Something in the guest could not be stopped, so that its files kept changing. */
export class FreezeFailedError extends EnvsError {
  constructor(name: string, commands: readonly string[]) {
    const restless = commands.length > 0 ? `: ${commands.slice(0, 3).map(shortened).join(', ')}` : '.'
    super(`Not all of ${name} stood still${restless}`, {
      code: 'ENVS_NOT_FROZEN',
      exitCode: ExitCode.conflict,
      suggestions: [`Run the command again, or stop it first: envs stop ${name}`],
    })
  }
}

const MOST_CHARACTERS = 60

/** Its program may have got a whole script for an argument. */
function shortened(command: string): string {
  return command.length > MOST_CHARACTERS ? `${command.slice(0, MOST_CHARACTERS - 1)}…` : command
}
