#include "village/proxy/http_forward.hpp"

#include <gtest/gtest.h>

namespace village::proxy {
namespace {

std::string forwarded(std::string_view head) {
  const auto request = parse_request_head(head);
  return request ? forward_request(*request) : "refused";
}
std::string answered(std::string_view head, int client_minor = 1, bool keep_alive = true,
                     std::string_view method = "GET") {
  const auto response = parse_response_head(head, method);
  return response ? forward_response(*response, client_minor, keep_alive) : "refused";
}

TEST(ForwardRequest, GoesOnInOriginFormWithHostFromTheUri) {
  EXPECT_EQ(forwarded("GET http://a.example:81/x?y HTTP/1.1\r\nHost: other\r\nAccept: */*\r\n\r\n"),
            "GET /x?y HTTP/1.1\r\nHost: a.example:81\r\nAccept: */*\r\n\r\n");
}

TEST(ForwardRequest, LeavesOutWhatEndsAtThisHop) {
  EXPECT_EQ(
      forwarded("GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\n"
                "Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic dTpw\r\n"
                "Proxy-Foo: 1\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nx-other: 2\r\n\r\n"),
      "GET / HTTP/1.1\r\nHost: a\r\nx-other: 2\r\n\r\n");
}

TEST(ForwardRequest, ConnectionCannotTakeFramingOrHostAway) {
  EXPECT_EQ(forwarded("POST http://a/ HTTP/1.1\r\nHost: a\r\nConnection: content-length, "
                      "host\r\nContent-Length: 3\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(forwarded("POST http://a/ HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(ForwardRequest, KeepsExpectAndTheVersionOfOldClients) {
  EXPECT_EQ(
      forwarded("PUT http://a/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
      "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(forwarded("GET http://a/ HTTP/1.0\r\n\r\n"), "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
}

TEST(ForwardResponse, KeepsFramingAndDropsTheHop) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nConnection: X\r\nX: 1\r\nProxy-Authenticate: Basic\r\nETag: e\r\n"
                     "Content-Length: 3\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nETag: e\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.0 200 OK\r\n\r\n", 1, false), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST(ForwardResponse, TellsLengthsOfBodiesThatDoNotCome) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 1, true, "HEAD"),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(ForwardResponse, InterimAnswersSayNothingOfTheConnection) {
  EXPECT_EQ(answered("HTTP/1.1 100 Continue\r\n\r\n", 1, false), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(ForwardResponse, OldClientsAreToldThatTheyMayStay) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, true),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ErrorResponse, IsAWholeAnswer) {
  const auto text = error_response(407, "Say who you are.");
  const auto end = text.find("\r\n\r\n");
  ASSERT_NE(end, std::string::npos);
  const auto response = parse_response_head(text.substr(0, end + 4), "GET");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 407U);
  EXPECT_EQ(response->body, (HttpFraming{HttpFraming::Kind::length, text.size() - end - 4}));
  EXPECT_FALSE(response->keep_alive);
  EXPECT_NE(text.find("Proxy-Authenticate: Basic realm="), std::string::npos);
  EXPECT_EQ(error_response(502, "x").find("Proxy-Authenticate"), std::string::npos);
  EXPECT_TRUE(error_response(502, "x", true).ends_with("\r\n\r\n"));
}

TEST(ConnectEstablished, HasNoFraming) {
  const auto response = parse_response_head(connect_established(), "CONNECT");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200U);
  EXPECT_TRUE(response->fields.empty());
}

}  // namespace
}  // namespace village::proxy
