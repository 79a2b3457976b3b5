import {defineError, ExitCode} from '../../errors.js'

export const fileMissingError = defineError('ENVS_FILE_NOT_FOUND', ExitCode.notFound, {
  message: 'There is no file or folder "{path}".',
  nextStep: [
    'See what is in an environment: envs run NAME ls FOLDER',
    'A file of the host with a colon in its name: ./NAME:REST',
  ],
})

export const targetMissingError = defineError('ENVS_TARGET_NOT_FOUND', ExitCode.notFound, {
  message: 'The folder for "{path}" does not exist.',
  nextStep: 'Make it first: envs run NAME mkdir -p FOLDER, or mkdir -p FOLDER on the host',
})

export const inTheWayError = defineError('ENVS_FILE_EXISTS', ExitCode.conflict, {
  message: 'Could not copy to "{path}": a file has the name of a folder, or a folder that of a file.',
  nextStep: 'Choose another name for the copy.',
})

export const noTarError = defineError('ENVS_TAR_MISSING', ExitCode.host, {
  message: 'The environment "{name}" has no tar, which envs cp starts in it.',
  nextStep: 'envs run NAME apt-get install tar',
})

export const fileCopyFailedError = defineError('ENVS_FILES_NOT_COPIED', ExitCode.storage, {
  message: 'Could not copy "{path}": {reason}.',
  nextStep: 'Check the permissions of the path and the free space, then copy again.',
})

export const targetIsLinkError = defineError('ENVS_FILE_EXISTS', ExitCode.conflict, {
  message: 'Could not copy to "{path}": it is a link, which a program in an environment may have made.',
  nextStep: 'To copy into the folder that it leads to: {path}/',
})
