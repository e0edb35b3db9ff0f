/* A CNI plugin that does nothing: what starting one costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  const char* verb = getenv("CNI_COMMAND");
  if (verb && strcmp(verb, "ADD") == 0) {
    puts(
        "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/s\"}],"
        "\"ips\":[{\"address\":\"10.0.0.5/16\",\"interface\":0}]}");
  }
  return 0;
}
