import type {ServiceActionResult, ServiceListResult, ServiceRow} from '../../environments/services/results.js'
import {formatRelativeTime} from '../format.js'
import type {Column} from '../table.js'

/** Returns the columns of the table of services. */
export function serviceColumns(now: Date): readonly Column<ServiceRow>[] {
  return [
    {title: 'unit', show: ({unit}) => unit.replace(/\.service$/, '')},
    {title: 'state', show: describeServiceState},
    {title: 'since', rank: 2, show: ({since}) => (since === null ? '' : formatRelativeTime(since, now))},
    {title: 'start', rank: 3, show: ({isEnabled}) => (isEnabled ? 'enabled' : 'disabled')},
    {title: 'ports', rank: 1, show: describePorts},
    {title: 'description', isCut: true, rank: 4, show: ({description}) => description},
  ]
}

function describeServiceState({state, result}: ServiceRow): string {
  if (state === 'would-start') return 'would start'
  return state === 'failed' && result !== '' ? `failed (${result})` : state
}

/** Returns the ports without their addresses: `80 443`, `53/udp`. */
function describePorts({ports}: ServiceRow): string {
  const shown = ports.map(({port, protocol}) => (protocol === 'tcp' ? String(port) : `${port}/${protocol}`))
  return [...new Set(shown)].join(' ')
}

/** Describes what was done to services, and the state after it, one line each. */
export function describeAction({name, action, units, wasRunning, services}: ServiceActionResult): string[] {
  if (action === 'rm') return units.map((program) => `Removed ${program} from ${name}.`)
  if (action === 'stop' && !wasRunning) return [`${name} was not running.`]
  return services.map((row) => {
    const unit = row.unit.replace(/\.service$/, '')
    const ports = describePorts(row)
    if (action === 'enable' || action === 'disable')
      return `${unit} is ${row.isEnabled ? 'enabled' : 'disabled'} in ${name}, and ${stateAfter(row)} now.`
    return `${unit} is ${stateAfter(row)} in ${name}${ports === '' ? '' : `, ports ${ports}`}.`
  })
}

function stateAfter(row: ServiceRow): string {
  return row.state === 'would-start' ? 'inactive' : describeServiceState(row)
}

/** Describes why services failed, where envs knows, one line each. */
export function describeReasons({services}: ServiceListResult): string[] {
  return services.flatMap(({unit, reason}) => (reason === null ? [] : [`${unit}: ${reason}`]))
}

/** Describes how to start the services that did not start; undefined if all did. */
export function describeWaiting({name, services}: ServiceListResult): string | undefined {
  const waiting = services
    .filter(({state}) => state === 'would-start')
    .map(({unit}) => unit.replace(/\.service$/, ''))
  if (waiting.length === 0) return undefined
  return `Start now: envs services ${name} start ${waiting.join(' ')}; always: envs set ${name} init=services`
}
