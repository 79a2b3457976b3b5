import {type EnvironmentSummary, listEnvironments} from '../../environments/list.js'
import type {RemovedListResult} from '../../environments/results.js'
import {type Host, openCheckedHost} from '../../host/host.js'
import {formatBytes, formatLocalTime, formatRelativeTime} from '../format.js'
import {escapeLines, outputColumns, writeError, writeJson, writeOutput} from '../output.js'
import {parseQuickLine} from '../quick-line.js'
import {type Column, renderTable} from '../table.js'

/** Flags of `envs list` that do not need oclif. */
export const QUICK_FLAGS = {
  all: {type: 'boolean', short: 'a'},
  json: {type: 'boolean'},
  quiet: {type: 'boolean', short: 'q'},
} as const

/** Runs `envs list` without oclif. @returns Whether it did; false for an unusual line. */
export async function runListLine(argv: readonly string[]): Promise<boolean> {
  const line = parseQuickLine(argv, QUICK_FLAGS)
  const host = openCheckedHost()
  if (line === undefined || line.words.length > 0 || host.environment['ENVS_QUIET']) return false
  const {all, json, quiet} = line.flags
  const environments = await listEnvironments(host, {all: all === true})
  if (json === true) writeJson(environments)
  else printEnvironments(environments, {host, quiet: quiet === true})
  return true
}

/** Prints the result of `envs list`. */
export function printEnvironments(
  environments: readonly EnvironmentSummary[],
  {host, quiet}: {host: Host; quiet: boolean},
): void {
  if (quiet) writeOutput(environments.map(({name}) => `${name}\n`).join(''))
  else if (environments.length === 0) writeError('There is no environment yet. Create one: envs create\n')
  else
    writeOutput(`${escapeLines(renderTable(environments, columns(environments, host), outputColumns()))}\n`)
}

/** Prints the result of `envs list --removed`. */
export function printRemoved(
  removed: RemovedListResult,
  {host, quiet}: {host: Pick<Host, 'now'>; quiet: boolean},
): void {
  if (quiet) writeOutput(removed.map(({name}) => `${name}\n`).join(''))
  else if (removed.length === 0) writeError('There is no removed environment that can be recovered.\n')
  else writeOutput(`${escapeLines(renderTable(removed, removedColumns(host), outputColumns()))}\n`)
}

function removedColumns({now}: Pick<Host, 'now'>): Column<RemovedListResult[number]>[] {
  return [
    {title: 'name', show: ({name}) => name},
    {title: 'removed', show: ({removedAt}) => formatRelativeTime(removedAt, now())},
    {title: 'kept until', show: ({keptUntil}) => formatLocalTime(keptUntil)},
    {
      title: 'size',
      align: 'right',
      show: ({sizeBytes}) => (sizeBytes === null ? '-' : formatBytes(sizeBytes)),
    },
    {title: 'image', show: ({image}) => image ?? '-'},
  ]
}

function columns(environments: readonly EnvironmentSummary[], host: Host): Column<EnvironmentSummary>[] {
  const size = (bytes: number | null) => (bytes === null ? '-' : formatBytes(bytes))
  const ago = (time: Date | null) => (time === null ? '-' : formatRelativeTime(time, host.now()))
  // Shown only if needed: few hosts have environments of other processors.
  const isMixed = environments.some(
    ({architecture}) => (architecture ?? host.architecture) !== host.architecture,
  )
  return [
    {title: 'name', show: ({name}) => name},
    {title: 'state', show: ({state}) => state},
    {title: 'size', align: 'right', rank: 2, show: ({sizeBytes}) => size(sizeBytes)},
    {title: 'shared', align: 'right', rank: 5, show: ({sharedBytes}) => size(sharedBytes)},
    {title: 'last used', rank: 3, show: ({lastUsedAt}) => ago(lastUsedAt)},
    {title: 'identity', rank: 4, show: ({identity}) => identity ?? '-'},
    ...(isMixed
      ? [{title: 'arch', rank: 1, show: ({architecture}: EnvironmentSummary) => architecture ?? '-'}]
      : []),
    {title: 'image', show: ({image}) => image ?? '-'},
  ]
}
