#!/usr/bin/perl
# probe-syscalls.pl FILTER FOLDER PRCTL NAME=NUMBER...
# Loads the filter in the file FILTER ("-": none) under no_new_privs, makes each call with arguments that do
# no harm, and prints "NAME RESULT ERRNO" a line. FOLDER is an empty folder to make nodes in.
use strict;
use warnings;

my ($filter, $folder, $prctl, @calls) = @ARGV;
my %number = map { split /=/ } @calls;

# linux/prctl.h
use constant {PR_SET_SECCOMP => 22, PR_SET_NO_NEW_PRIVS => 38, SECCOMP_MODE_FILTER => 2};
# linux/fcntl.h, linux/stat.h
use constant {AT_FDCWD => -100, S_IFIFO => 0010000, S_IFCHR => 0020000};

sub report {
    my ($name, @arguments) = @_;
    $! = 0;
    my $result = syscall($number{$name}, @arguments);
    return ($result, $result == -1 ? $! + 0 : 0);
}

sub show { printf "%s %d %d\n", @_ }

if ($filter ne '-') {
    open(my $file, '<:raw', $filter) or die "open $filter: $!\n";
    local $/;
    my $program = <$file>;
    # struct sock_fprog: the count of instructions, padding, a pointer to them
    my $header = pack('S x![J] P', length($program) / 8, $program);
    syscall($prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
    syscall($prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, $header) == 0 or die "seccomp: $!\n";
}

my ($missing, $fifo, $device, $whiteout) = map {"$folder/$_"} qw(missing fifo device whiteout);
show('chown', report('fchownat', AT_FDCWD, $missing, 1, 1, 0));
show('setgroups', report('setgroups', 1, -1));
show('fifo', report('mknodat', AT_FDCWD, $fifo, S_IFIFO | 0600, 0));
show('device', report('mknodat', AT_FDCWD, $device, S_IFCHR | 0600, 0x103));
show('whiteout', report('mknodat', AT_FDCWD, $whiteout, S_IFCHR, 0));
show('tiocsti', report('ioctl', 0, 0x5412, 'x'));
show('tiocsti-high', report('ioctl', 0, 0x100005412, 'x'));
show('tcgets', report('ioctl', 0, 0x5401, 'x' x 64));
show('keyctl', report('keyctl', 9999, 0, 0, 0, 0));
show('fsync', report('fsync', 999));
show('getpid', report('getpid') > 0 ? 1 : 0, 0);
