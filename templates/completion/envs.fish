# Completion of envs for fish. In ~/.config/fish/config.fish:
#
#   envs completion fish | source

function __envs_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -e words[1]
    for line in (command envs __complete $words "$typed" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$typed"
        else
            echo $line
        end
    end
end

complete -c envs -f -a '(__envs_complete)'
