import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import type {EnvironmentSettingsResult} from '../src/environments/results.js'
import {changeSettings, parseSettingsChange} from '../src/environments/settings.js'

export default class SetCommand extends EnvsCommand {
  static override summary = 'Change settings of an environment.'
  static override description =
    `KEY=VALUE is: init=none, which starts no services; init=systemd, with the systemd of the environment as its first \
process; init=services, with a supervisor that reads unit files; network=host, network=none (a loopback alone) or \
network=private (leads out, and not to the host); allow=NETWORK,NETWORK for the only networks that a private one leads \
to; allow-host=HOST,HOST for hosts that network=none reaches through a proxy. A running environment has the new value from its next start on.`
  static override usage = 'set NAME KEY=VALUE... [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play init=systemd',
    '<%= config.bin %> <%= command.id %> play init=none --json',
  ]
  static override args = {
    name: nameArg(),
    changes: Args.string({description: 'settings and their new values', ignoreStdin: true}),
  }

  async run(): Promise<EnvironmentSettingsResult> {
    const {argv} = await this.parse(SetCommand)
    const [name = '', ...words] = argv.map(String)
    const changed = await changeSettings(this.openHost(), name, parseSettingsChange(words))
    for (const [key, value] of Object.entries(changed.settings))
      if (value.length > 0) this.note(`${changed.name}: ${key}=${value}`)
    if (changed.isRunning)
      this.note(`It runs, and has the new settings from its next start on: envs stop ${changed.name}`)
    if (changed.hasOwnPolicy)
      this.note(
        `Somebody changed or removed /usr/sbin/policy-rc.d of ${changed.name}: it stays so, and decides whether packages start services.`,
      )
    return changed
  }
}
