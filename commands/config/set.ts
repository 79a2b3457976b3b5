import {EnvsCommand} from '../../src/cli/command.js'
import {settingArg} from '../../src/cli/flags.js'
import {Args} from '../../src/cli/parse.js'
import type {SettingResult} from '../../src/config/results.js'
import {parseSettingName} from '../../src/config/schema.js'
import {settingEntry, showSettingValue, storeSetting} from '../../src/config/settings.js'

export default class ConfigSet extends EnvsCommand {
  static override summary = 'Write a setting to the file.'
  static override description =
    `A variable takes precedence over the file; envs warns if one is set. With --json: the effective value \
afterwards.`
  static override args = {
    setting: settingArg(),
    value: Args.string({description: 'new value of the setting', ignoreStdin: true, required: true}),
  }
  static override examples = [
    '<%= config.bin %> <%= command.id %> defaultImage noble',
    '<%= config.bin %> <%= command.id %> mirrors.ubuntuBase https://mirror.example/ubuntu-base',
  ]

  async run(): Promise<SettingResult> {
    const {args} = await this.parse(ConfigSet)
    const name = parseSettingName(args.setting)
    await storeSetting(this.openHost(), name, args.value)
    const entry = settingEntry(await this.settings(), name)
    if (entry.origin === 'variable')
      this.warn(`${entry.variable} is set and takes precedence: ${showSettingValue(entry)} is in force.`)
    return entry
  }
}
