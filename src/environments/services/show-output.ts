import {unitName} from '../../rootfs/tree-services.js'
import type {ServiceRow} from './results.js'

/** A unit as `systemctl show` describes it: the guest's word. */
export type ShownUnit = Pick<
  ServiceRow,
  'unit' | 'description' | 'sub' | 'result' | 'since' | 'isEnabled' | 'mainPid'
> & {
  readonly state: Exclude<ServiceRow['state'], 'would-start'>
  readonly isLoaded: boolean
  /** Path of its control group below that of the guest's first process; empty if unknown. */
  readonly controlGroup: string
}

/** The properties for `systemctl show`. The supervisor of `init=services` has the same ones. @see org.freedesktop.systemd1(5) */
export const SHOWN_PROPERTIES = [
  ...['Id', 'Description', 'LoadState', 'ActiveState', 'SubState', 'Result', 'UnitFileState'],
  ...['MainPID', 'StateChangeTimestamp', 'ControlGroup'],
]

/** More than any guest has units. */
const MOST_UNITS = 2000
/** Many times any real description. */
const MOST_CHARACTERS = 300

const STATES = ['active', 'activating', 'deactivating', 'failed', 'inactive'] as const
/** States of active and inactive units in other words: systemd reports them for a moment. */
const TRANSIENT: Readonly<Record<string, ShownUnit['state']>> = {
  reloading: 'active',
  refreshing: 'active',
  maintenance: 'inactive',
}
/** @see systemctl(1), "is-enabled"; `generated`: from an init script with a start link. */
const ENABLED = ['enabled', 'enabled-runtime', 'generated']

/**
 * Parses the output of `systemctl show --property=… PATTERN…`: a block of lines NAME=VALUE for each unit, with an empty line between
 * blocks. systemd prints properties of the kind of unit before those of all units. A unit that matched twice is returned once.
 */
export function parseShownUnits(text: string): ShownUnit[] {
  const units = new Map<string, ShownUnit>()
  for (const block of text.split('\n\n')) {
    const unit = parseBlock(block)
    if (unit !== undefined && units.size < MOST_UNITS) units.set(unit.unit, unit)
  }
  return [...units.values()].sort((a, b) => (a.unit < b.unit ? -1 : 1))
}

function parseBlock(block: string): ShownUnit | undefined {
  const values = new Map<string, string>()
  for (const line of block.split('\n')) {
    const cut = line.indexOf('=')
    if (cut > 0) values.set(line.slice(0, cut), line.slice(cut + 1, cut + 1 + MOST_CHARACTERS))
  }
  const value = (name: string) => values.get(name) ?? ''
  const unit = unitName(value('Id'))
  if (unit === undefined) return undefined
  const mainPid = Number(value('MainPID'))
  return {
    unit,
    description: value('Description'),
    state: stateOf(value('ActiveState')),
    sub: value('SubState'),
    result: value('Result'),
    since: parseTimestamp(value('StateChangeTimestamp')),
    isEnabled: ENABLED.includes(value('UnitFileState')),
    mainPid: Number.isSafeInteger(mainPid) && mainPid > 0 ? mainPid : null,
    isLoaded: value('LoadState') === 'loaded',
    controlGroup: value('ControlGroup'),
  }
}

function stateOf(text: string): ShownUnit['state'] {
  return STATES.find((state) => state === text) ?? TRANSIENT[text] ?? 'inactive'
}

/** Parses `Sun 2026-11-29 14:27:01 UTC`, the form for TZ=UTC; null for an empty one. */
function parseTimestamp(text: string): Date | null {
  const {day, time} =
    /^\w+ (?<day>\d{4}-\d{2}-\d{2}) (?<time>\d{2}:\d{2}:\d{2}) UTC$/.exec(text)?.groups ?? {}
  const date = new Date(`${day}T${time}Z`)
  return Number.isNaN(date.getTime()) ? null : date
}
