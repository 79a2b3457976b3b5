# Notes on a terminal after a session. Loaded by join.pl.
use v5.12;

my $O_RDONLY = 0;
our ($package, @typed);
require "$package/templates/host/join/plan.pl";
1;

sub note_after_session {
  my ($plan, $name, $anchor, $ended, $terminal) = @_;
  my (undef, undef, @command) = $plan ? (undef, undef, @{$plan->{command}}) : read_plain_form(@typed);
  if    (@command)  { note_what_is_missing($name, $ended, @command) }
  elsif ($terminal) { note_what_goes_on($name, $anchor) }
}

# After a shell: its environment ends with its last process, and a server that was left may be forgotten.
sub note_what_goes_on {
  my ($name, $anchor) = @_;
  # Of the first process, which gets all that have lost their parent; its oldest child is the holder.
  my ($holder, @left) = split ' ', read_whole("/proc/$anchor/task/$anchor/children", $O_RDONLY, 65536) // return;
  my @programs = map { /^[0-9]+ \((.*)\) [^ZX]/s ? $1 =~ s/[^ -~]/?/gr : () } map { read_whole("/proc/$_/stat", $O_RDONLY, 4096) // () } @left;
  return unless @programs;
  my %count;
  $count{$_}++ for @programs;
  my $list = join ', ', sort keys %count;
  print STDERR "envs: $name still runs @{[scalar @programs]} process@{[@programs == 1 ? '' : 'es']}: $list. To see them: envs ps $name\n";
}

# Programs that work on a machine of their own, and whose messages here do not name the cause.
sub note_what_is_missing {
  my ($name, $ended, $program, @arguments) = @_;
  my ($word) = $program =~ m{([^/]*)\z};
  # Its script starts a server in the background, and does not see that it ends again.
  my $is_start = ($word eq 'service' || $program =~ m{^/etc/init\.d/}) && grep { /^(?:re)?start\z/ } @arguments;
  $word = $is_start ? 'service' : $word eq 'service' || $ended == 0 ? return : $word;
  my ($first, $last) = split ' ', read_whole('/proc/sys/net/ipv4/ping_group_range', $O_RDONLY, 64) // '0 4294967295';
  my $port = (read_whole('/proc/sys/net/ipv4/ip_unprivileged_port_start', $O_RDONLY, 16) // 0) + 0;
  return if $is_start ? $port <= 22 : $word =~ /^ping/ && $first <= $( && $( <= $last;
  my ($why) = (read_whole("$package/templates/guest/notes.txt", $O_RDONLY, 65536) // '') =~ /^(?:[^:\n]+ )?\Q$word\E(?: [^:\n]+)?: (.*)/m;
  return unless defined $why;
  my %value = (run => "envs run $name ", name => $name, port => $port);
  print STDERR 'envs: ', $why =~ s/\{(\w+)\}/$value{$1}/gr, "\n";
}
