#!/usr/bin/perl
# Runs a command as root of a new user namespace that maps a range of ids, if unshare(1) has no --map-auto.
#
# usage: map-ids.pl UNSHARE NEWUIDMAP UIDS NEWGIDMAP GIDS COMMAND ARGUMENT...
#   UNSHARE      system call number of unshare(2) on this processor
#   NEWUIDMAP    path of newuidmap(1), and of newgidmap(1)
#   UIDS, GIDS   the ids to map: "INSIDE,OUTSIDE,COUNT,..."
#
# Exits with 1 if nothing could be mapped; the program that refused has printed the reason. Otherwise it becomes the command,
# in the same process and with the descriptors and groups of its caller, as unshare --map-auto does.
use v5.12;
use warnings;

my $CLONE_NEWUSER = 0x10000000;

my ($nr_unshare, $newuidmap, $uids, $newgidmap, $gids, @command) = @ARGV;
my $process = $$;
pipe(my $is_unshared, my $unshared) or refuse('pipe');

# The helper stays in the namespace that owns the ids; a process in the new one may not map them.
my $helper = fork() // refuse('fork');
if ($helper == 0) {
  close $unshared;
  exit 1 unless sysread $is_unshared, my $byte, 1;
  map_ids($newuidmap, $uids) && map_ids($newgidmap, $gids) or exit 1;
  exit 0;
}

syscall($nr_unshare, $CLONE_NEWUSER) == 0 or refuse('unshare');
syswrite $unshared, '.';
waitpid $helper, 0;
exit 1 unless $? == 0;
no warnings 'exec';    # refuse tells it
exec { $command[0] } @command or refuse($command[0]);

sub refuse {
  my ($what) = @_;
  print STDERR "map-ids: $what: $!\n";
  exit 1;
}

sub map_ids {
  my ($program, $ids) = @_;
  return system({$program} $program, $process, split /,/, $ids) == 0;
}
