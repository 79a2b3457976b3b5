import {EnvsCommand} from '../../src/cli/command.js'
import {listCommonNetworks} from '../../src/environments/network/common.js'
import type {CommonNetworkListResult} from '../../src/environments/network/results.js'

export default class NetworkList extends EnvsCommand {
  static override summary = 'List the networks for several environments.'
  static override aliases = ['network:ls']
  static override description = 'With --quiet: names only, one a line.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  async run(): Promise<CommonNetworkListResult> {
    await this.parse(NetworkList)
    const networks = await listCommonNetworks(this.openHost())
    if (this.quiet) {
      for (const {name} of networks) this.print(name)
      return networks
    }
    if (networks.length === 0) this.note('There is no network yet. Create one: envs network create NAME')
    this.printTable(networks, [
      {title: 'name', show: ({name}) => name},
      {title: 'network', show: ({subnet}) => subnet},
      {
        title: 'environments',
        show: ({environments}) =>
          environments
            .map(({name, address}) => (address === null ? name : `${name} ${address}`))
            .join(', ') || '-',
      },
    ])
    return networks
  }
}
