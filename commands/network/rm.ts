import {EnvsCommand} from '../../src/cli/command.js'
import {Args} from '../../src/cli/parse.js'
import {removeCommonNetwork} from '../../src/environments/network/common.js'
import type {NetworkRemovalResult} from '../../src/environments/network/results.js'

export default class NetworkRm extends EnvsCommand {
  static override summary = 'Remove a network for several environments.'
  static override description = 'Refused while the settings of an environment name it.'
  static override aliases = ['network:remove', 'network:delete']
  static override examples = [
    '<%= config.bin %> <%= command.id %> shop',
    '<%= config.bin %> <%= command.id %> shop --json',
  ]
  static override args = {
    network: Args.string({description: 'name of the network', ignoreStdin: true, required: true}),
  }

  async run(): Promise<NetworkRemovalResult> {
    const {args} = await this.parse(NetworkRm)
    const removed = await removeCommonNetwork(this.openHost(), args.network)
    this.note(`Removed the network ${removed.name}.`)
    return removed
  }
}
