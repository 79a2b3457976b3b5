import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {readSettings} from '../src/config/settings.js'
import {handleRestoreRequest, type RequestOutcome} from '../src/environments/snapshots/auto.js'

export default class RestorePoint extends EnvsCommand {
  static override hidden = true
  static override summary = 'Make a restore point at the request of a guest.'
  static override description =
    `For templates/host/restore-points.sh. Prints the result in one word, as soon as the environment runs again: \
made, large if too much would have to be copied, none if nothing runs.`
  static override examples = ['<%= config.bin %> <%= command.id %> play']
  static override args = {name: nameArg()}

  async run(): Promise<{outcome: RequestOutcome}> {
    const {args} = await this.parse(RestorePoint)
    const host = this.openHost()
    const settings = await readSettings(host)
    const outcome = await handleRestoreRequest(host, args.name, {
      isSynced: settings.value('durable') !== 'never',
      signal: this.signal(),
      onTaken: () => this.print('made'),
    })
    if (outcome !== 'made') this.print(outcome)
    return {outcome}
  }
}
