import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {countField, dateField, described, ownNameField} from '../../host/result-fields.js'

const portResult = v.object({
  protocol: v.picklist(['tcp', 'udp']),
  address: described(v.string(), 'IPv4 or IPv6 address of the host; 0.0.0.0 or :: for all'),
  port: countField,
})

export const serviceResult = v.object({
  kind: described(v.picklist(['unit', 'program']), 'program: envs run --detach keeps it running'),
  unit: described(v.string(), 'name of the unit with its suffix, also for an init script; or of the program'),
  description: v.string(),
  state: described(
    v.picklist(['active', 'activating', 'deactivating', 'failed', 'inactive', 'would-start']),
    'as systemctl has it; `would-start`: an init would start it, but none runs',
  ),
  sub: described(v.string(), "the unit's state in detail, as systemctl has it; empty where no init runs"),
  result: described(v.string(), 'how the unit ended last, as systemctl has it; empty where no init runs'),
  since: described(v.nullable(dateField), 'when it got that state; null if unknown'),
  isEnabled: described(v.boolean(), 'whether an init starts it by itself'),
  mainPid: described(v.nullable(countField), 'PID of its main process inside the environment'),
  ports: described(v.array(portResult), 'ports that its processes listen on'),
  reason: described(v.nullable(v.string()), 'why it does not run, where envs knows'),
})
export type ServiceRow = RecordOf<typeof serviceResult>

export const serviceListResult = v.object({
  name: ownNameField,
  isRunning: described(v.boolean(), 'whether the environment is running'),
  services: v.array(serviceResult),
})
export type ServiceListResult = RecordOf<typeof serviceListResult>

export const serviceActionResult = v.object({
  name: ownNameField,
  action: v.picklist(['start', 'stop', 'restart', 'enable', 'disable', 'rm']),
  units: v.array(v.string()),
  wasRunning: described(v.boolean(), 'whether the environment was running before'),
  services: described(v.array(serviceResult), 'the units after it; a unit with an alias has its own name'),
})
export type ServiceActionResult = RecordOf<typeof serviceActionResult>

export const serviceLogResult = v.object({
  name: ownNameField,
  units: v.array(v.string()),
  text: described(v.string(), 'the last lines that the units printed'),
})
export type ServiceLogResult = RecordOf<typeof serviceLogResult>
