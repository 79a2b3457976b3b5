# Sets extended attributes of open files: set-attributes.pl NUMBER
#
# NUMBER is fsetxattr(2)'s on this processor. Standard input has a line for each attribute: the descriptor, then the name and
# the value in hexadecimal. A path would lead through a hostile tree. An attribute that the file system does not take is left out.
use v5.12;
use warnings;

my ($number) = @ARGV;
while (my $line = <STDIN>) {
  my ($fd, $name, $value) = split / /, $line =~ s/\n\z//r, -1;
  $name = pack('H*', $name) . "\0";
  $value = pack 'H*', $value;
  syscall $number + 0, $fd + 0, $name, $value, length $value, 0;
}
