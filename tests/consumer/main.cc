// SPDX-License-Identifier: Apache-2.0
// consumer ADDRESS FILE: grounds an image, prints the number of objects and the first box.
#include <fstream>
#include <iostream>
#include <iterator>

#include "client/cpp/grounding_client.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream file(argv[2], std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto client = objectdino::GroundingClient::Connect(argv[1], {});
  if (!client.ok()) return 2;
  const auto response = (*client)->Ground(std::move(bytes), {});
  if (!response.ok()) {
    std::cerr << objectdino::ErrorText(response.status()) << "\n";
    return 1;
  }
  std::cout << response->objects_size() << " objects in " << response->image().width() << "x"
            << response->image().height() << "\n";
}
