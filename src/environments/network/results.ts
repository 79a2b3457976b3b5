import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {countField, described, ownNameField} from '../../host/result-fields.js'

const publicationResult = v.object({
  address: described(v.string(), 'address of the host'),
  port: countField,
  guestPort: countField,
})

export const publishResult = v.object({
  name: ownNameField,
  publish: described(v.array(publicationResult), 'all ports of the host that lead to the environment'),
  isInForce: described(
    v.boolean(),
    'whether connections arrive now; false for one that is stopped, or runs with the network of the host',
  ),
})
export type PublishResult = RecordOf<typeof publishResult>

export const connectResult = v.object({
  name: described(v.string(), 'environment with the server'),
  port: countField,
  client: described(v.string(), 'environment that reaches it at its own loopback'),
  clientPort: countField,
  isConnected: v.boolean(),
})
export type ConnectResult = RecordOf<typeof connectResult>

export const portListResult = v.object({
  name: ownNameField,
  network: described(
    v.nullable(v.picklist(['host', 'none', 'pasta', 'slirp4netns'])),
    'the network that it runs with; pasta and slirp4netns lead out of a private one; null when it is stopped',
  ),
  listening: described(
    v.array(
      v.object({
        protocol: v.picklist(['tcp', 'udp']),
        address: v.string(),
        port: countField,
        pid: described(v.nullable(countField), 'PID in the guest; null where no process of the guest has it'),
        command: v.nullable(v.string()),
      }),
    ),
    'ports that its processes listen on',
  ),
  published: v.array(
    v.object({
      ...publicationResult.entries,
      isActive: described(v.boolean(), 'whether connections arrive'),
      isAnswered: described(v.boolean(), 'whether something in the environment listens on the port'),
    }),
  ),
})
export type PortListResult = RecordOf<typeof portListResult>
