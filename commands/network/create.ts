import {EnvsCommand} from '../../src/cli/command.js'
import {Args} from '../../src/cli/parse.js'
import {createCommonNetwork} from '../../src/environments/network/common.js'
import type {CommonNetworkResult} from '../../src/environments/network/results.js'

export default class NetworkCreate extends EnvsCommand {
  static override summary = 'Create a network for several environments.'
  static override description =
    `Environments that are on it reach each other by their names, each with a network of its own (none or private): \
envs create --join NAME, or envs set ENVIRONMENT join=NAME. Nothing else is reached by it.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> shop',
    '<%= config.bin %> <%= command.id %> shop --json',
  ]
  static override args = {
    network: Args.string({description: 'name of the network', ignoreStdin: true, required: true}),
  }

  async run(): Promise<CommonNetworkResult> {
    const {args} = await this.parse(NetworkCreate)
    const network = await createCommonNetwork(this.openHost(), args.network)
    this.note(`Created the network ${network.name}: ${network.subnet}`)
    return network
  }
}
