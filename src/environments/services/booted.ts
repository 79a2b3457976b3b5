import type {Host} from '../../host/host.js'
import {parentOf} from '../../host/machine/proc.js'
import {isFolderOfGuest} from '../../rootfs/tree-services.js'
import {type Anchor, readLiveAnchor} from '../../sandbox/anchor-state.js'
import type {GuestProcess} from '../../sandbox/processes.js'
import type {Environment} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
import {captureInEnvironment} from '../session/capture.js'
import {guestRefusedError} from './errors.js'
import type {ServiceRow} from './results.js'
import {parseShownUnits, SHOWN_PROPERTIES, type ShownUnit} from './show-output.js'
import {controlGroupsOf} from './unit-of-process.js'

/** The units of a first page: devices, mounts, slices and targets are no services. */
const PATTERNS = ['*.service', '*.socket', '*.timer']

/** Made by systemd and by the supervisor of `init=services`. @see sd_booted(3) */
const BOOTED_MARK = ['run', 'systemd', 'system']

/** Returns the first process of an environment whose init answers systemctl(1); undefined where none does. */
export function bootedAnchor({files, record}: Pick<Environment, 'files' | 'record'>): Anchor | undefined {
  if (initOf(record) === 'none') return undefined
  const anchor = readLiveAnchor(files.run)
  if (anchor === undefined || !isFolderOfGuest(`/proc/${anchor.pid}/root`, BOOTED_MARK)) return undefined
  return anchor
}

/**
 * Returns the units of a booted environment as its init describes them.
 *
 * @param others - Units that the init may have no reason to know.
 * @throws {@link guestRefusedError}
 */
export async function showUnits(
  host: Host,
  environment: Pick<Environment, 'name'>,
  others: readonly string[],
): Promise<ShownUnit[]> {
  const units = await askUnits(host, environment, [...PATTERNS, ...others])
  return units.filter((unit) => isWorthShowing(unit, others))
}

/**
 * Returns units as the init of a booted environment describes them; one that was asked for by an alias has its own name.
 *
 * @param names - Names or patterns.
 * @throws {@link guestRefusedError}
 */
export async function askUnits(
  host: Host,
  {name}: Pick<Environment, 'name'>,
  names: readonly string[],
): Promise<ShownUnit[]> {
  const command = ['systemctl', 'show', '--all', `--property=${SHOWN_PROPERTIES.join(',')}`, '--', ...names]
  const {status, stdout, stderr} = await captureInEnvironment(host, name, command)
  const units = parseShownUnits(stdout)
  if (units.length === 0)
    throw guestRefusedError({
      name,
      command: 'systemctl show',
      reason: stderr.trim() || `it ended with status ${status}`,
    })
  return units
}

/** Leaves out units that packages of systemd load for others: fifty of the sixty units of an idle guest. */
function isWorthShowing(
  {unit, state, mainPid, isEnabled, isLoaded}: ShownUnit,
  others: readonly string[],
): boolean {
  if (!isLoaded && state === 'inactive') return false
  if (state === 'active') return mainPid !== null || isEnabled || others.includes(unit)
  return state !== 'inactive' || isEnabled || others.includes(unit)
}

/** Returns the processes of each unit: those of its control group, and its main process with all descendants. */
export function processesByUnit(
  units: readonly ShownUnit[],
  processes: readonly GuestProcess[],
): ReadonlyMap<string, readonly GuestProcess[]> {
  const byHostPid = new Map(processes.map((process) => [process.hostPid, process]))
  const mains = new Map(
    units.flatMap(({mainPid, unit}) => (mainPid === null ? [] : [[mainPid, unit] as const])),
  )
  const groups = units.filter(({controlGroup}) => controlGroup.length > 1)
  const found = new Map<string, GuestProcess[]>()
  for (const process of processes) {
    const unit = unitByGroup(process) ?? unitByParent(process)
    if (unit !== undefined) found.set(unit, [...(found.get(unit) ?? []), process])
  }
  return found

  function unitByGroup({hostPid}: GuestProcess): string | undefined {
    const paths = controlGroupsOf(hostPid)
    return groups.find(({controlGroup}) => paths.some((path) => `${path}/`.includes(`${controlGroup}/`)))
      ?.unit
  }

  function unitByParent(process: GuestProcess): string | undefined {
    let at: GuestProcess | undefined = process
    for (let steps = 0; at !== undefined && steps < processes.length; steps++) {
      const unit = mains.get(at.pid)
      if (unit !== undefined) return unit
      const parent = parentOf(at.hostPid)
      at = parent === undefined ? undefined : byHostPid.get(parent)
    }
    return undefined
  }
}

/** Returns the row of a unit that systemd, or the supervisor, described. */
export function rowOfUnit(unit: ShownUnit, facts: Pick<ServiceRow, 'ports' | 'reason'>): ServiceRow {
  const {isLoaded: _, controlGroup: __, ...shown} = unit
  return {kind: 'unit', ...shown, ...facts}
}
