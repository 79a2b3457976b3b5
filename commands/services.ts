import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {describeWaiting, serviceColumns} from '../src/cli/views/services.js'
import {listServices} from '../src/environments/services/list.js'
import type {ServiceListResult} from '../src/environments/services/results.js'

export default class Services extends EnvsCommand {
  static override summary = 'List the services of an environment.'
  static override description =
    `Shows the state of each service, the ports that it listens on, and whether it starts by itself. In an environment \
without an init, installed services do not start: "would start" marks those that a machine would start. With --quiet: \
names of units only.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {name: nameArg()}

  async run(): Promise<ServiceListResult> {
    const {args} = await this.parse(Services)
    const host = this.openHost()
    const listed = await listServices(host, args.name)
    if (this.quiet) {
      for (const {unit} of listed.services) this.print(unit)
      return listed
    }
    if (listed.services.length === 0) this.note(`${listed.name} has no service.`)
    this.printTable(listed.services, serviceColumns(host.now()))
    const waiting = describeWaiting(listed)
    if (waiting !== undefined) this.note(waiting)
    return listed
  }
}
