import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {listPorts} from '../src/environments/network/ports.js'
import type {PortListResult} from '../src/environments/network/results.js'
import {formatAddress} from '../src/sandbox/network/publication.js'

export default class Ports extends EnvsCommand {
  static override summary = 'List the ports of an environment.'
  static override description =
    'Shows which ports its processes listen on, and which ports of the host lead to it (envs publish).'
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {name: optionalNameArg()}

  async run(): Promise<PortListResult> {
    const {args} = await this.parse(Ports)
    const ports = await listPorts(this.openHost(), args.name)
    const published = ({port, protocol}: PortListResult['listening'][number]) =>
      ports.published
        .filter((each) => protocol === 'tcp' && each.guestPort === port && each.isActive)
        .map(describeAtHost)
        .join(', ')
    this.printTable(ports.listening, [
      {title: 'port', align: 'right', show: ({port}) => String(port)},
      {title: 'protocol', rank: 2, show: ({protocol}) => protocol},
      {title: 'address', show: ({address}) => address},
      {title: 'published', show: (each) => published(each) || '-'},
      {title: 'pid', align: 'right', rank: 1, show: ({pid}) => (pid === null ? '-' : String(pid))},
      {title: 'command', isCut: true, show: ({command}) => command ?? '-'},
    ])
    for (const each of ports.published) {
      const text = `${describeAtHost(each)} leads to port ${each.guestPort}`
      if (!each.isActive) this.note(`${text} from the next start of ${ports.name} on.`)
      else if (!each.isAnswered) this.note(`${text}, on which nothing listens.`)
    }
    return ports
  }
}

function describeAtHost({address, port}: PortListResult['published'][number]): string {
  return `${formatAddress(address)}:${port}`
}
