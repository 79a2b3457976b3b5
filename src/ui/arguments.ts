import {DEB_ARCHITECTURES, type DebArchitecture, namedArchitecture} from '../host/architecture.js'
import {Args, Flags} from './definitions.js'

/** NAME of an environment. oclif would read a missing argument from standard input: never wanted. */
export function nameArg(description = 'name of the environment') {
  return Args.string({description, ignoreStdin: true, required: true})
}

/** NAME where it may be left out. */
export function optionalNameArg(description = 'name of the environment [default: the only one]') {
  return Args.string({description, ignoreStdin: true})
}

/** Name of a setting, as `envs config list` shows it. */
export function settingArg() {
  return Args.string({description: 'name of the setting', ignoreStdin: true, required: true})
}

export function yesFlag() {
  return Flags.boolean({char: 'y', description: 'answer yes to every question', env: 'ENVS_YES'})
}

export function forceFlag(description: string) {
  return Flags.boolean({char: 'f', description})
}

export function newNameFlag(description = 'name of the new environment [default: by the image]') {
  return Flags.string({
    char: 'n',
    description,
    helpValue: 'NAME',
  })
}

export function identityFlag(description = 'kind of users [default: mapped if possible, else emulated]') {
  return Flags.string({description, options: ['auto', 'mapped', 'emulated']})
}

/** dpkg's name of one. */
export function architectureFlag(
  description = "target architecture; foreign ones run under QEMU [default: the host's]",
) {
  return Flags.string({char: 'a', description, options: [...DEB_ARCHITECTURES]})
}

/** The same as it was parsed. */
export function architectureIn({arch}: {arch?: string | undefined}): DebArchitecture | undefined {
  return arch === undefined ? undefined : namedArchitecture(arch)
}

export function storageFlag() {
  return Flags.string({
    description: 'storage of files [default: overlay if possible, else directory]',
    options: ['auto', 'overlay', 'directory'],
  })
}

/** What an old listing needs to be taken; a word of its own, for it gives up a protection. */
export function allowSha1Flag() {
  return Flags.boolean({description: 'accept SHA-1 signatures, which old listings have'})
}

export function dryRunFlag() {
  return Flags.boolean({description: 'show what would be done, without doing it'})
}

export function volumeFlag() {
  return Flags.string({
    char: 'v',
    description: 'folder or file of the host to share; :ro for read-only',
    helpValue: 'SOURCE[:TARGET[:ro]]',
    multiple: true,
    multipleNonGreedy: true,
  })
}

/** The flags of a session: who, where, with which variables and folders of the host. */
export function sessionFlags() {
  return {
    env: Flags.string({
      char: 'e',
      description: "environment variable; without =VALUE, the host's value",
      helpValue: 'KEY[=VALUE]',
      multiple: true,
      multipleNonGreedy: true,
    }),
    user: Flags.string({char: 'u', description: 'user of the session [default: root]', helpValue: 'USER'}),
    volume: volumeFlag(),
    workdir: Flags.string({
      char: 'w',
      description: 'working folder in the guest [default: the home folder]',
      helpValue: 'FOLDER',
    }),
  }
}
